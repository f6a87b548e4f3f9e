"""Handovers of a shift: what is told of the shift beside alerts and forecasts, and the signatures, which only grow.

Who is limited to regions writes and sees handovers of theirs; each has its own last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from alerts.ladder import LEVEL
from devices.kind import Kind
from devices.quality import Quality
from storage.as_json import time_sql
from storage.kind_tables import rollup_table

Conn = psycopg.AsyncConnection[Any]

NAMED = "d.id AS device_id, coalesce(d.name, d.id) AS device_name, d.kind, d.district"
# The highest level of the shift with the five minutes in which it was.
GAUGES = """
SELECT {named}, d.attributes ->> 'river' AS river, d.attributes ->> 'upstream' AS upstream, d.attributes,
    p.level_m AS peak_m, {peak_at} AS peak_at
FROM device AS d LEFT JOIN LATERAL (
    SELECT r.{level} AS level_m, r.bucket FROM {rollup} AS r
    WHERE r.device_id = d.id AND r.bucket >= %(since)s AND r.bucket < %(until)s AND r.{level} IS NOT NULL
    ORDER BY r.{level} DESC, r.bucket LIMIT 1
) AS p ON true
WHERE d.kind = %(kind)s ORDER BY d.id
"""
# Also those for which an incident stands, or a window.
SILENT = f"""
SELECT {NAMED}, {time_sql("l.ts")} AS since FROM alert AS a JOIN device AS d ON d.id = a.device_id
LEFT JOIN latest AS l ON l.device_id = d.id
WHERE a.open AND a.active AND NOT a.historical AND a.rule = 'stale'
ORDER BY a.severity DESC, a.raised_at, a.id
"""
SUSPECT = f"""
SELECT {NAMED}, {time_sql("l.ts")} AS since, l.qc FROM latest AS l JOIN device AS d ON d.id = l.device_id
WHERE l.qc > {int(Quality.NOT_EVALUATED)} ORDER BY l.qc DESC, d.id
"""
# By numbers that are missing between those that came: what a device that is silent has not sent is told by SILENT.
INCOMPLETE = f"""
SELECT {NAMED}, m.missing::int, l.stored::int, l.stored / (l.stored + m.missing)::float8 AS completeness
FROM (SELECT device_id, sum(missing) AS missing FROM ledger_missing
      WHERE hour >= %(since)s AND hour < %(until)s GROUP BY device_id) AS m
JOIN device AS d ON d.id = m.device_id
CROSS JOIN LATERAL (SELECT coalesce(sum(x.stored), 0) AS stored FROM ledger AS x
                    WHERE x.device_id = d.id AND x.hour >= %(since)s AND x.hour < %(until)s) AS l
WHERE m.missing > %(share)s * (l.stored + m.missing) ORDER BY completeness, d.id
"""
COUNTED = "SELECT *, count(*) OVER ()::int AS count FROM ({}) AS t LIMIT %(limit)s"
WAITING = "SELECT count(*) FROM quarantine WHERE state = 'open'"
NOTICES = """
SELECT count(*) FILTER (WHERE sent_at IS NOT NULL)::int AS sent, count(*) FILTER (WHERE gave_up)::int AS dead
FROM delivery WHERE made_at >= %(since)s AND made_at < %(until)s
"""

# version: 1 of who hands over, 2 with the signature of who takes over.
ITEM = f"""
h.id, CASE WHEN t.handover_id IS NULL THEN 1 ELSE 2 END AS version,
CASE WHEN t.handover_id IS NULL THEN 'given' ELSE 'taken' END AS state, {time_sql("h.since")} AS "from",
{time_sql("h.given_at")} AS given_at, h.given_by, {time_sql("t.taken_at")} AS taken_at, t.taken_by, t.reason, h.notes
"""
LIST = f"""
SELECT {ITEM} FROM handover AS h LEFT JOIN handover_taken AS t ON t.handover_id = h.id
WHERE (%(before)s::bigint IS NULL OR h.id < %(before)s) ORDER BY h.id DESC LIMIT %(limit)s
"""
ONE = f"""
SELECT {ITEM}, h.told, t.changed, h.since,
    NOT EXISTS (SELECT FROM handover AS n WHERE n.id > h.id AND n.regions IS NOT DISTINCT FROM h.regions) AS newest
FROM handover AS h LEFT JOIN handover_taken AS t ON t.handover_id = h.id WHERE h.id = %s
"""
LAST_TAKEN = """
SELECT max(h.given_at) FROM handover AS h JOIN handover_taken AS t ON t.handover_id = h.id
WHERE h.regions IS NOT DISTINCT FROM %s::text[]
"""
GIVE = """
INSERT INTO handover (since, given_at, given_by, regions, notes, told)
VALUES (%(since)s, %(at)s, %(who)s, %(regions)s::text[], %(notes)s, %(told)s) RETURNING id
"""
TAKE = """
INSERT INTO handover_taken (handover_id, taken_at, taken_by, reason, changed)
VALUES (%(id)s, %(at)s, %(who)s, %(reason)s, %(changed)s)
"""


class Span(NamedTuple):
    """since <= t < until."""

    since: datetime
    until: datetime


class Listed(NamedTuple):
    """The first rows of a list, and how many there are."""

    number: int
    items: list[DictRow]


async def gauges(conn: Conn, kind: Kind, of: Span) -> list[DictRow]:
    """All gauges of a kind, each with the highest level of the shift."""
    query = sql.SQL(GAUGES).format(
        named=sql.SQL(NAMED),
        level=sql.Identifier(f"{LEVEL}_max"),
        rollup=sql.Identifier(rollup_table(kind, "5m")),
        peak_at=sql.SQL(time_sql("p.bucket")),
    )
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(query, of._asdict() | {"kind": kind.name})).fetchall()


async def silent(conn: Conn, limit: int) -> Listed:
    """Devices that have stopped reporting, the worst first, with the time of their newest reading."""
    return await _counted(conn, SILENT, {"limit": limit})


async def suspect(conn: Conn, limit: int) -> Listed:
    """Devices whose newest reading is not to be trusted."""
    return await _counted(conn, SUSPECT, {"limit": limit})


async def incomplete(conn: Conn, of: Span, share: float, limit: int) -> Listed:
    """Devices of which more than this share of the readings of a time is missing."""
    return await _counted(conn, INCOMPLETE, of._asdict() | {"share": share, "limit": limit})


async def waiting(conn: Conn) -> int:
    """Quarantine entries about which nobody has decided."""
    row = await (await conn.execute(WAITING)).fetchone()
    assert row is not None
    return int(row[0])


async def notices(conn: Conn, of: Span) -> DictRow:
    """Messages of a time: how many have been sent, and how many given up."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        row = await (await cursor.execute(NOTICES, of._asdict())).fetchone()
    assert row is not None
    return row


async def last_taken(conn: Conn, regions: Sequence[str] | None) -> datetime | None:
    """When the last shift was handed over that somebody has taken over."""
    row = await (await conn.execute(LAST_TAKEN, (_listed(regions),))).fetchone()
    return row[0] if row else None


async def listed(conn: Conn, before: int | None, limit: int) -> list[DictRow]:
    """Handovers without what was told, newest first; before: only of smaller id."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(LIST.encode(), {"before": before, "limit": limit})).fetchall()


async def one(conn: Conn, number: int) -> DictRow | None:
    """A handover with what was told; `since` as a time; newest: no later one has taken its place."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(ONE.encode(), (number,))).fetchone()


async def give(
    conn: Conn, of: Span, who: str, regions: Sequence[str] | None, notes: str, told: Mapping[str, Any]
) -> int:
    """Write down what somebody hands over; its id."""
    values = {
        "since": of.since, "at": of.until, "who": who, "regions": _listed(regions), "notes": notes,
        "told": Jsonb(dict(told)),
    }  # fmt: skip
    row = await (await conn.execute(GIVE, values)).fetchone()
    assert row is not None
    return int(row[0])


async def take(
    conn: Conn, number: int, who: str, reason: str | None, changed: Sequence[Mapping[str, Any]], at: datetime
) -> None:
    """Write down that somebody has taken over."""
    values = {"id": number, "at": at, "who": who, "reason": reason, "changed": Jsonb(list(changed))}
    await conn.execute(TAKE, values)


async def _counted(conn: Conn, query: str, values: Mapping[str, Any]) -> Listed:
    async with conn.cursor(row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(COUNTED.format(query).encode(), values)).fetchall()
    count = rows[0]["count"] if rows else 0
    for row in rows:
        del row["count"]
    return Listed(count, rows)


def _listed(regions: Sequence[str] | None) -> list[str] | None:
    return None if regions is None else sorted(regions)
