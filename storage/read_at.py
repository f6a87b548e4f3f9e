"""The newest reading that each device had at a time, as JSON text: a short walk over the key of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from alerts import ladder
from devices.kind import Kind
from storage.kind_tables import reading_table
from storage.place import Place, place_sql
from storage.read_latest import Latest, head_sql

CLOSED = "SELECT kind, until FROM closed WHERE level = 'raw' AND kind = ANY (%s) AND until > %s"
OF_KIND = """
(SELECT {head}, d.id AS device_id, d.kind, r.ts, r.qc, {level}, {attributes}, d.district
 FROM device AS d CROSS JOIN LATERAL (
    SELECT * FROM {table} AS r WHERE r.device_id = d.id AND r.ts <= {at} AND r.ts > {since}
    ORDER BY r.ts DESC LIMIT 1
 ) AS r
 WHERE d.kind = {kind} AND {place}
   AND (%(device)s::text IS NULL OR d.id = %(device)s) AND d.id > %(after)s
 ORDER BY d.id LIMIT %(limit)s)
"""


class Moment(NamedTuple):
    """The time asked about, and since when a reading may have been the newest."""

    at: datetime
    since: datetime


async def closed_after(conn: psycopg.AsyncConnection[Any], kinds: Sequence[Kind], at: datetime) -> dict[str, datetime]:
    """Kinds whose readings of that time may have been dropped, each with the time before which they may have been."""
    rows = await (await conn.execute(CLOSED, ([kind.name for kind in kinds], at))).fetchall()
    return dict(rows)


async def list_latest(
    conn: psycopg.AsyncConnection[Any],
    kinds: Sequence[Kind],
    moment: Moment,
    place: Place,
    device: str | None,
    after: str,
    limit: int,
) -> list[Latest]:
    """In order of device id."""
    every = sql.SQL(" UNION ALL ").join(_of_kind(kind, moment) for kind in kinds)
    query = sql.SQL("SELECT * FROM ({}) AS every ORDER BY device_id LIMIT %(limit)s").format(every)
    values = place.values() | {"device": device, "after": after, "limit": limit}
    # Unprepared, so that the planner sees which partitions matter.
    cursor = await conn.execute(query, values, prepare=False)
    return [Latest(*row) for row in await cursor.fetchall()]


def _of_kind(kind: Kind, moment: Moment) -> sql.Composed:
    # Names of metrics need no quoting: NAME in devices/kind.py.
    values = ", ".join(f"'{name}', r.{name}" for name in kind.numbers)
    has_ladder = ladder.has_ladder(kind)
    return sql.SQL(OF_KIND).format(
        head=sql.SQL(head_sql("r", "d.id", "d.kind", f"json_build_object({values})")),
        level=sql.Identifier("r", ladder.LEVEL) if has_ladder else sql.SQL("NULL::float8"),
        attributes=sql.SQL("d.attributes" if has_ladder else "NULL::jsonb"),
        table=sql.Identifier(reading_table(kind)),
        kind=sql.Literal(kind.name),
        place=sql.SQL(place_sql("d")),
        at=sql.Literal(moment.at),
        since=sql.Literal(moment.since),
    )
