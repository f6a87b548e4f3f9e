"""A dry-run: what rules would have made of the readings that are stored. Reads slices, so memory is flat.

Readings come in order of arrival, as ingest had them. What a table cannot tell (docs/rules.md) is which arrivals had
shared a batch, copies that were refused, and when ingest was not listening.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from alerts.engine import Transition
from alerts.rule import Rule
from alerts.rules_replay import Arrived, Replay, kinds_of, metrics_of, readings_of
from devices.device import Device
from devices.fleet import Fleet
from devices.kind import Kind
from storage.kind_tables import reading_table

# Rows of a slice, 1 MB as Python objects; reading and two sets of rules cost 10 µs of CPU a row, as with 5,000.
SLICE = 2_000
# One at a time, whoever asks: each keeps a core busy. Given back with the transaction.
TURN = "SELECT pg_try_advisory_xact_lock(x'7369616761206472'::bigint)"
DEVICES = """
SELECT id, kind, name, region, district, lat, lon, attributes, status FROM device
WHERE kind = ANY (%(kinds)s) AND (%(ids)s::text[] IS NULL OR id = ANY (%(ids)s)) ORDER BY id
"""
COUNT = """
SELECT count(*) FROM device WHERE kind = ANY (%(kinds)s) AND (%(ids)s::text[] IS NULL OR id = ANY (%(ids)s))
"""
READINGS = """
SELECT device_id, (extract(epoch FROM ts) * 1000000)::bigint, (extract(epoch FROM received_at) * 1000000)::bigint,
    qc, qc_reason {metrics}
FROM {table} WHERE ts >= {since} AND ts < {until} AND ({ids}::text[] IS NULL OR device_id = ANY ({ids}::text[]))
ORDER BY received_at, ts, device_id
"""
received_us = itemgetter(2)


class BusyError(Exception):
    """Another dry-run is under way."""


class Past(NamedTuple):
    """Readings with since <= ts < until; of all devices where ids is None. stream_silent_s: as ingest is set."""

    since: datetime
    until: datetime
    ids: Sequence[str] | None = None
    stream_silent_s: float | None = None


class Ran(NamedTuple):
    """How much there was to evaluate."""

    devices: int
    readings: int


class Run(NamedTuple):
    """Rules to try, and who is told what they do."""

    rules: tuple[Rule, ...]
    tell: Callable[[list[Transition]], None]


async def count_devices(conn: psycopg.AsyncConnection[Any], rules: Sequence[Rule], ids: Sequence[str] | None) -> int:
    """Devices that a dry-run of these rules would be about."""
    values = {"kinds": [kind.name for kind in kinds_of(rules)], "ids": _listed(ids)}
    row = await (await conn.execute(COUNT, values)).fetchone()
    assert row is not None
    return int(row[0])


async def dry_run(conn: psycopg.AsyncConnection[Any], past: Past, runs: Sequence[Run]) -> Ran:
    """Evaluate the past by each of these rules and tell their transitions. Raises BusyError, psycopg.Error.

    Evaluation runs in a thread: nobody else's request waits for it.
    """
    rules = [rule for run in runs for rule in run.rules]
    async with conn.transaction():
        turn = await (await conn.execute(TURN)).fetchone()
        if not (turn and turn[0]):
            raise BusyError("another dry-run is under way")
        fleet = await _fleet(conn, rules, past.ids)
        replays = [(Replay(run.rules, fleet, past.since, past.stream_silent_s), run.tell) for run in runs]

        def feed(arrived: Sequence[Arrived]) -> int:
            batch = [readings_of(each, fleet) for each in arrived]
            for replay, tell in replays:
                tell(replay.feed(batch))
            return sum(map(len, batch))

        readings = 0
        async with aclosing(_in_order(conn, rules, past)) as slices:
            async for arrived in slices:
                readings += await asyncio.to_thread(feed, arrived)
        for replay, tell in replays:
            tell(await asyncio.to_thread(replay.end, past.until))
    return Ran(len(fleet), readings)


async def _fleet(conn: psycopg.AsyncConnection[Any], rules: Sequence[Rule], ids: Sequence[str] | None) -> Fleet:
    values = {"kinds": [kind.name for kind in kinds_of(rules)], "ids": _listed(ids)}
    return Fleet([Device(*row) for row in await (await conn.execute(DEVICES, values)).fetchall()])


async def _in_order(
    conn: psycopg.AsyncConnection[Any], rules: Sequence[Rule], past: Past
) -> AsyncGenerator[list[Arrived], None]:
    """Slices of all kinds together: nothing in one arrived after anything in the next."""
    kinds = {kind.name: (kind, metrics_of(rules, kind)) for kind in kinds_of(rules)}
    async with AsyncExitStack() as stack:
        cursors = {}
        for name, (kind, metrics) in kinds.items():
            cursors[name] = await stack.enter_async_context(conn.cursor(name=f"replay_{name}", binary=True))
            await cursors[name].execute(_readings(kind, metrics, past))
        waiting: dict[str, list[tuple[Any, ...]]] = {name: [] for name in kinds}
        open_ = set(kinds)
        while True:
            for name in sorted(open_):
                if not waiting[name]:
                    waiting[name] = await cursors[name].fetchmany(SLICE)
                    if not waiting[name]:
                        open_.discard(name)
            if not open_:
                return
            until = min(received_us(waiting[name][-1]) for name in open_)
            cuts = {name: bisect_right(waiting[name], until, key=received_us) for name in sorted(open_)}
            yield [Arrived(name, kinds[name][1], waiting[name][:cut]) for name, cut in cuts.items() if cut]
            for name, cut in cuts.items():
                del waiting[name][:cut]


def _readings(kind: Kind, metrics: Sequence[str], past: Past) -> sql.Composed:
    # Literals, so that the planner sees which partitions matter.
    return sql.SQL(READINGS).format(
        metrics=sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(name)) for name in metrics),
        table=sql.Identifier(reading_table(kind)),
        since=sql.Literal(past.since),
        until=sql.Literal(past.until),
        ids=sql.Literal(_listed(past.ids)),
    )


def _listed(ids: Sequence[str] | None) -> list[str] | None:
    return None if ids is None else list(ids)
