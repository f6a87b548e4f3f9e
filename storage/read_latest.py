"""The newest reading of each device as JSON text, and those written since the last look, found without an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from alerts import ladder
from devices.kind import Kind
from devices.kinds import KINDS
from devices.quality import Quality, Reason
from storage.as_json import time_sql
from storage.kind_tables import reading_table
from storage.place import Place, place_sql

LADDERS = [kind.name for kind in KINDS.values() if ladder.has_ladder(kind)]
UNUSABLE = (Quality.FAIL, Quality.MISSING)
RATE_POINTS = 4
RATE_AGE = timedelta(hours=2)


def head_sql(reading: str, device_id: str, kind: str, values: str) -> str:
    """An item as text without its last brace: the API adds what is not in the row.

    Put together by hand: json_build_object and cutting off a brace take three times as long, 10,000 times.
    """
    return f"""
'{{"device_id": ' || to_json({device_id})::text || ', "kind": ' || to_json({kind})::text
    || ', "ts": "' || {time_sql(f"{reading}.ts")} || '", "received_at": "' || {time_sql(f"{reading}.received_at")}
    || '", "qc": ' || {reading}.qc || ', "late": ' || ({reading}.qc_reason & {int(Reason.LATE)} <> 0)
    || ', "values": ' || {values}::text
"""


# Level and bounds only where there is a ladder.
COLUMNS = f"""
{head_sql("l", "l.device_id", "l.kind", '''(l."values" - 'fw')''')} AS head,
l.device_id, l.kind, l.ts, l.qc,
CASE WHEN l.kind = ANY (%(ladders)s) THEN (l."values"->>'{ladder.LEVEL}')::float8 END AS level_m,
CASE WHEN l.kind = ANY (%(ladders)s) THEN d.attributes END AS attributes,
d.district
"""
LIST = f"""
SELECT {COLUMNS} FROM latest l JOIN device d ON d.id = l.device_id
WHERE (%(kind)s::text IS NULL OR l.kind = %(kind)s) AND {place_sql("d")}
  AND (%(device)s::text IS NULL OR l.device_id = %(device)s) AND l.device_id > %(after)s
  AND (%(since)s::timestamptz IS NULL OR l.ts >= %(since)s)
ORDER BY l.device_id LIMIT %(limit)s
"""
# Every transaction below this one has ended: what it wrote has been seen by whoever looks after asking.
HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"
# The age of xmin tells which rows were written since, even by a batch that arrived long before it could commit;
# received_at cannot. age() compares across the wrap-around of 32-bit transaction ids.
CHANGED = f"""
SELECT {COLUMNS} FROM latest l JOIN device d ON d.id = l.device_id
WHERE age(l.xmin) <= age((%(horizon)s::text)::xid8::xid)
"""
NEWEST = "SELECT max(received_at) FROM latest"


class Latest(NamedTuple):
    """One device's newest reading. head is its JSON object without the closing brace."""

    head: str
    device_id: str
    kind: str
    ts: datetime
    qc: int
    level_m: float | None
    attributes: Mapping[str, Any] | None
    district: str | None

    @property
    def siaga(self) -> int | None:
        if self.attributes is None or self.qc in UNUSABLE:
            return None
        return ladder.siaga(self.level_m, self.attributes)


async def list_latest(
    conn: psycopg.AsyncConnection[Any],
    kind: str | None,
    place: Place,
    device: str | None,
    after: str,
    limit: int,
    since: datetime | None = None,
) -> list[Latest]:
    """In order of device id. since: only readings of that time or later."""
    values = place.values() | {
        "kind": kind, "device": device, "after": after, "limit": limit, "since": since, "ladders": LADDERS,
    }  # fmt: skip
    cursor = await conn.execute(LIST, values)
    return [Latest(*row) for row in await cursor.fetchall()]


async def horizon(conn: psycopg.AsyncConnection[Any]) -> str:
    """A point to ask `changed_since` from."""
    row = await (await conn.execute(HORIZON)).fetchone()
    assert row is not None
    return str(row[0])


async def changed_since(conn: psycopg.AsyncConnection[Any], point: str) -> list[Latest]:
    """Every row written after `point`; some may have been there before. A scan of the table: 100,000 rows, 20 ms."""
    cursor = await conn.execute(CHANGED, {"horizon": point, "ladders": LADDERS})
    return [Latest(*row) for row in await cursor.fetchall()]


async def newest_arrival(conn: psycopg.AsyncConnection[Any]) -> datetime | None:
    row = await (await conn.execute(NEWEST)).fetchone()
    return row[0] if row else None


async def rates(conn: psycopg.AsyncConnection[Any], found: Sequence[Latest], now: datetime) -> dict[str, float]:
    """m/h by device: slope of the last hour of trusted readings; none of fewer than 4, nor after 2 h of silence."""
    slopes: dict[str, float] = {}
    for name in LADDERS:
        fresh = [x for x in found if x.kind == name and x.ts > now - RATE_AGE]
        if fresh:
            ids, times = [x.device_id for x in fresh], [x.ts for x in fresh]
            rows = await conn.execute(_slopes(KINDS[name]), (ids, times))
            slopes |= {device: round(slope, 4) async for device, slope in rows if slope is not None}
    return slopes


def _slopes(kind: Kind) -> sql.Composed:
    return sql.SQL("""
SELECT l.id, r.slope FROM unnest(%s::text[], %s::timestamptz[]) AS l (id, ts), LATERAL (
    SELECT CASE WHEN count(*) >= {points} THEN regr_slope(r.{level}, extract(epoch FROM r.ts - l.ts)::float8 / 3600) END
    FROM {table} r
    WHERE r.device_id = l.id AND r.ts > l.ts - interval '1 hour' AND r.ts <= l.ts AND r.qc <= {trusted}
      AND r.{level} IS NOT NULL
) AS r (slope)""").format(
        points=sql.Literal(RATE_POINTS),
        level=sql.Identifier(ladder.LEVEL),
        table=sql.Identifier(reading_table(kind)),
        trusted=sql.Literal(int(Quality.NOT_EVALUATED)),
    )
