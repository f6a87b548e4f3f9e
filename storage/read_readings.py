"""Readings of one device in order of time: as JSON texts, or as rows for a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from alerts import ladder
from devices.kind import Kind
from devices.quality import Reason
from storage.as_json import time_sql
from storage.kind_tables import reading_table

FIXED = {
    "ts": time_sql("r.ts"),
    "received_at": time_sql("r.received_at"),
    "seq": "r.seq",
    "boot": "r.boot",
    "fw": "r.fw",
    "qc": "r.qc",
    "qc_reason": "r.qc_reason",
    "late": f"r.qc_reason & {int(Reason.LATE)} <> 0",
}


class Window(NamedTuple):
    """Which readings: since <= ts < until, but after < ts where a page was read already."""

    device_id: str
    since: datetime
    until: datetime
    after: datetime | None
    limit: int


class Found(NamedTuple):
    """A reading: its JSON object or its cells, and what its siaga digit depends on."""

    ts: datetime
    qc: int
    level_m: float | None
    content: Any


def columns(kind: Kind) -> tuple[str, ...]:
    """What a reading of this kind consists of, in order; `siaga` comes on top."""
    return (*FIXED, *kind.numbers)


async def readings(conn: psycopg.AsyncConnection[Any], kind: Kind, window: Window, as_json: bool) -> Sequence[Found]:
    """Readings of the window in order of time; content is JSON text, or a tuple of cells in order of `columns`."""
    listed = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(
            sql.SQL(FIXED[name]) if name in FIXED else sql.Identifier("r", name),
            sql.Identifier(name),
        )
        for name in columns(kind)
    )
    content = sql.SQL("(SELECT row_to_json(x) FROM (SELECT {}) x)::text" if as_json else "{}").format(listed)
    level = sql.Identifier("r", ladder.LEVEL) if ladder.has_ladder(kind) else sql.SQL("NULL::float8")
    query = sql.SQL(
        "SELECT r.ts, r.qc, {level}, {content} FROM {table} r WHERE r.device_id = %s AND r.ts >= %s AND r.ts < %s"
        " AND r.ts IS DISTINCT FROM %s ORDER BY r.ts LIMIT %s"
    ).format(level=level, content=content, table=sql.Identifier(reading_table(kind)))
    since = window.since if window.after is None else window.after
    cursor = await conn.execute(query, (window.device_id, since, window.until, window.after, window.limit))
    rows = await cursor.fetchall()
    return [Found(row[0], row[1], row[2], row[3] if as_json else row[3:]) for row in rows]
