"""Fills a database as months of operation would: readings of the simulated city, their rollups, the newest of each.

Readings go in by COPY in order of time, as they came; rollups are made by the worker's own statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import psycopg
from psycopg import sql

from bench.lamps import SEED
from devices.device import Device
from devices.kind import Kind
from devices.kinds import KINDS
from simulator.city import Block, City
from storage import copy_binary, groups, rollup
from storage.flavour import make_partitions, start_of
from storage.kind_tables import READING_COLUMNS, STEPS, reading_table, rollup_columns, rollup_table

WIB = ZoneInfo("Asia/Jakarta")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROLL_AT_ONCE, KEEP_AT_ONCE = 500_000, 200_000
MARK = """
INSERT INTO rollup_mark (kind, bucket)
SELECT %s, b FROM generate_series(%s::timestamptz, %s::timestamptz - interval '5 minutes', interval '5 minutes') AS b
"""
LATEST = """
INSERT INTO latest (device_id, kind, ts, received_at, seq, boot, qc, qc_reason, "values")
SELECT d.id, d.kind, r.ts, r.received_at, r.seq, r.boot, r.qc, r.qc_reason, {values}
FROM device AS d CROSS JOIN LATERAL
    (SELECT * FROM {readings} WHERE device_id = d.id AND ts >= {since} ORDER BY ts DESC LIMIT 1) AS r
WHERE d.kind = {kind}
"""

Say = Callable[[str], None]


class Span(NamedTuple):
    """Readings with since <= ts < until."""

    since: datetime
    until: datetime

    @property
    def days(self) -> float:
        return (self.until - self.since) / DAY


def span_of(days: int, now: datetime) -> Span:
    """The last days until the full hour, from local midnight on, so that days are whole."""
    until = now.replace(minute=0, second=0, microsecond=0)
    first = (until.astimezone(WIB) - timedelta(days=days)).replace(hour=0)
    return Span(first.astimezone(UTC), until)


async def fill_readings(
    conn: psycopg.AsyncConnection[Any], devices: Sequence[Device], span: Span, seconds: Mapping[str, float], say: Say
) -> int:
    """All readings of these devices, each at the interval of its kind (s); how many."""
    city = City(devices, SEED, span.since.timestamp(), seconds=seconds)
    stored = 0
    at = span.since
    while at < span.until:
        until = min(at + HOUR, span.until)
        for block in city.blocks(_ms(at), _ms(until)):
            await _store(conn, KINDS[block.kind], devices, block)
            stored += len(block)
        if until.astimezone(WIB).hour == 0:
            say(f"{stored:,} readings, until {until:%d %B}")
        at = until
    return stored


async def roll_up(conn: psycopg.AsyncConnection[Any], span: Span, say: Say) -> int:
    """All rollups of the span, by marks; how many rows."""
    rows = 0
    for kind in KINDS.values():
        await conn.execute(MARK, (kind.name, span.since, span.until))
        before: datetime = rollup.END_OF_TIME
        while (drained := await rollup.drain_whole(conn, kind, WIB, ROLL_AT_ONCE, before)) and drained.oldest:
            rows, before = rows + drained.changed, drained.oldest
        say(f"{rows:,} rollup rows, with those of {kind.name}")
    return rows


async def fill_latest(conn: psycopg.AsyncConnection[Any], span: Span) -> None:
    for kind in KINDS.values():
        pairs = [part for name in kind.numbers for part in (sql.Literal(name), sql.Identifier("r", name))]
        values = sql.SQL("jsonb_build_object({}, 'fw', NULL)").format(sql.SQL(", ").join(pairs))
        await conn.execute(
            sql.SQL(LATEST).format(
                values=values, readings=sql.Identifier(reading_table(kind)), kind=sql.Literal(kind.name),
                since=sql.Literal(span.until - DAY),
            )
        )  # fmt: skip


async def repeat_days(conn: psycopg.AsyncConnection[Any], span: Span, days: int) -> Span:
    """Daily rollups of the days before, until there are so many: those of the span over and over. The span of days."""
    whole = round(span.days)
    since = span.since
    table, step = rollup_table(KINDS["streetlight"], "1d"), STEPS["1d"]
    names = ["n", "n_good", *(c for m in KINDS["streetlight"].metrics.values() for c in rollup_columns(m))]
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    statement = sql.SQL(
        "INSERT INTO {table} (device_id, bucket, {columns}) SELECT device_id, bucket - %(back)s, {columns} FROM {table}"
        " WHERE bucket >= %(since)s AND bucket < %(until)s AND bucket - %(back)s >= %(oldest)s"
    ).format(table=sql.Identifier(table), columns=columns)
    oldest = span.until - days * DAY
    back = whole * DAY
    starts = {start_of(oldest + n * DAY, step) for n in range(days)}
    await make_partitions(conn, table, starts, step)
    while since > oldest:
        values = {"back": back, "since": span.since, "until": span.since + whole * DAY, "oldest": oldest}
        await conn.execute(statement, values)
        since, back = span.since - back, back + whole * DAY
    return Span(max(since, oldest), span.until)


async def keep_groups(conn: psycopg.AsyncConnection[Any], days: int, span: Span) -> None:
    """Days of groups, as the worker keeps them."""
    kind = KINDS["streetlight"]
    first = (span.until - days * DAY).astimezone(WIB).replace(hour=0).astimezone(UTC)
    async with conn.transaction():
        await groups.mark(conn, kind, (first + n * DAY for n in range(days + 1)))
    while await groups.drain(conn, kind, KEEP_AT_ONCE):
        pass


async def _store(conn: psycopg.AsyncConnection[Any], kind: Kind, devices: Sequence[Device], block: Block) -> None:
    order = np.argsort(block.ts_ms, kind="stable")
    ts_us = block.ts_ms[order] * 1000
    table, step = reading_table(kind), STEPS["raw"]
    edges = (int(ts_us[0]), int(ts_us[-1]))
    starts = {start_of(datetime.fromtimestamp(us / 1e6, UTC), step) for us in edges}
    await make_partitions(conn, table, starts, step)
    nothing = np.full(len(ts_us), np.nan)
    columns = [
        copy_binary.texts([devices[i].id for i in block.device[order].tolist()]),
        copy_binary.times(ts_us),
        copy_binary.times(ts_us + 1_000_000),
        copy_binary.integers(block.seq[order], 8),
        copy_binary.texts(block.boot[order].tolist()),
        copy_binary.texts([None] * len(ts_us)),
        copy_binary.integers(np.ones(len(ts_us), dtype=np.int16), 2),
        copy_binary.integers(np.zeros(len(ts_us), dtype=np.int32), 4),
        *(
            copy_binary.floats(block.columns[name][order] if name in block.columns else nothing)
            for name in kind.numbers
        ),
    ]
    names = sql.SQL(", ").join(map(sql.Identifier, (*(name for name, _ in READING_COLUMNS), *kind.numbers)))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), names)
    async with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for piece in copy_binary.encode(columns):
            await copy.write(piece)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
