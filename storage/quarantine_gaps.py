"""What is missing: numbers of a device that are neither among its readings nor in quarantine. Exact, from raw rows.

A gap belongs to the time of the reading that ends it: until that one came nobody could know. Every boot counts from 0
(docs/wire.md), so what is before its first reading is missing as well; but not of a device's first boot that is there:
that one may have begun before we listened, or its readings are older than what is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from pydantic_core import from_json

from devices.completeness import spread
from devices.kind import Kind
from storage.kind_tables import reading_table

# The last reading before the range is looked at too, so that a gap across its start is found once, in the later range.
GAPS = """
WITH near AS (
    (SELECT boot, seq, ts FROM {table} WHERE device_id = %(device)s AND ts >= %(since)s AND ts < %(until)s)
    UNION ALL
    (SELECT boot, seq, ts FROM {table} WHERE device_id = %(device)s AND ts < %(since)s ORDER BY ts DESC LIMIT 1)
), pairs AS (
    SELECT boot, seq, ts, lag(seq) OVER told AS before, lag(ts) OVER told AS after_ts FROM near
    WHERE seq IS NOT NULL AND boot IS NOT NULL WINDOW told AS (PARTITION BY boot ORDER BY seq, ts)
)
SELECT boot, before + 1, seq - 1, after_ts, ts FROM pairs WHERE seq > before + 1 AND ts >= %(since)s
UNION ALL
SELECT p.boot, 0, p.seq - 1, earlier.ts, p.ts FROM pairs AS p CROSS JOIN LATERAL (
    SELECT ts FROM {table} WHERE device_id = %(device)s AND ts < p.ts AND boot <> p.boot ORDER BY ts DESC LIMIT 1
) AS earlier
WHERE p.before IS NULL AND p.seq > 0 AND p.ts >= %(since)s
    AND NOT EXISTS (SELECT FROM {table} WHERE device_id = %(device)s AND boot = p.boot AND seq < p.seq)
ORDER BY 5, 3
"""
NEXT = "SELECT min(ts) FROM {table} WHERE device_id = %s AND ts >= %s"
ANY_NUMBER = """
SELECT EXISTS (SELECT FROM {table} WHERE device_id = %s AND ts >= %s AND ts < %s
    AND seq IS NOT NULL AND boot IS NOT NULL)
"""
NUMBERED = """
SELECT payload FROM quarantine WHERE device_id = %s AND payload IS NOT NULL AND state <> 'replayed'
    AND reason IN ('future_timestamp', 'too_old', 'conflict', 'storage')
"""


class Missing(NamedTuple):
    """Numbers first to last of one boot, both of them missing, between readings of these times; from 0 on, the earlier
    one is of another boot."""

    boot: str
    first: int
    last: int
    after: datetime
    until: datetime

    @property
    def numbers(self) -> int:
        return self.last - self.first + 1


async def missing(
    conn: psycopg.AsyncConnection[Any], kind: Kind, device: str, since: datetime, until: datetime
) -> list[Missing]:
    """Ranges that readings of since <= ts < until show to be missing, in the order of those readings."""
    query = sql.SQL(GAPS).format(table=sql.Identifier(reading_table(kind)))
    cursor = await conn.execute(query, {"device": device, "since": since, "until": until})
    gaps = [Missing(*row) for row in await cursor.fetchall()]
    if not gaps:
        return []
    cursor = await conn.execute(NUMBERED, (device,))
    return without(gaps, [told for (payload,) in await cursor.fetchall() if (told := _number(payload))])


async def missing_by_hour(
    conn: psycopg.AsyncConnection[Any], kind: Kind, device: str, since: datetime, until: datetime
) -> dict[datetime, int]:
    """How many numbers are missing in each hour: those of a gap are spread evenly between the readings around it.

    Those that fall outside of since <= t < until are left out, so that adjoining ranges add up.
    """
    query = sql.SQL(NEXT).format(table=sql.Identifier(reading_table(kind)))
    row = await (await conn.execute(query, (device, until))).fetchone()
    end = row[0] + timedelta(microseconds=1) if row and row[0] else until
    hours: Counter[datetime] = Counter()
    for gap in await missing(conn, kind, device, since, end):
        hours.update(spread(gap.first, gap.last, gap.after, gap.until))
    return {hour: number for hour, number in hours.items() if since <= hour < until}


async def numbered(
    conn: psycopg.AsyncConnection[Any], kind: Kind, device: str, since: datetime, until: datetime
) -> bool:
    """Whether a device numbers its readings, as far as those of since <= ts < until tell."""
    query = sql.SQL(ANY_NUMBER).format(table=sql.Identifier(reading_table(kind)))
    row = await (await conn.execute(query, (device, since, until))).fetchone()
    return bool(row and row[0])


def without(gaps: Iterable[Missing], there: Iterable[tuple[str, int]]) -> list[Missing]:
    """Gaps cut at numbers that are known to be elsewhere. Pure."""
    numbers = sorted(set(there))
    found = []
    for gap in gaps:
        first = gap.first
        for number in _of(numbers, gap):
            if number > first:
                found.append(gap._replace(first=first, last=number - 1))
            first = number + 1
        if first <= gap.last:
            found.append(gap._replace(first=first))
    return found


def _of(numbers: Sequence[tuple[str, int]], gap: Missing) -> list[int]:
    return [number for boot, number in numbers if boot == gap.boot and gap.first <= number <= gap.last]


def _number(payload: bytes) -> tuple[str, int] | None:
    """Boot and number of one quarantined reading, where it tells both."""
    try:
        told = from_json(payload)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    boot, seq = told.get("boot"), told.get("seq")
    return (boot, seq) if isinstance(boot, str) and isinstance(seq, int) and not isinstance(seq, bool) else None
