"""The rollups kept up to date: live data first, then what came late, and never more than a share of the machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import psycopg

from devices.kind import Kind
from devices.kinds import KINDS
from storage import rollup
from storage.rollup import Drained
from worker import metrics
from worker.context import Context

# Live data marks the running bucket with every batch, and all of it is computed again each time: the more it is, the
# longer we rest, but not so long that a screen would wait for more than 10 s.
REST_FACTOR = 6
REST_MIN_S, REST_MAX_S = 2.0, 8.0
# A backlog is worked off in slices, so that live data comes in between; with as much rest as work.
BACKLOG_S = 4.0 / len(KINDS)
PENDING_MAX = 100_000


async def roll_up(here: Context) -> float:
    """One round; how long to rest after it."""
    began, at = time.monotonic(), datetime.now(UTC)
    async with here.pool.connection() as conn:
        live: dict[Kind, Drained | None] = {}
        refused: list[psycopg.Error] = []
        for kind in KINDS.values():
            try:
                live[kind] = await _newest(here, conn, kind)
            except psycopg.OperationalError:
                raise
            except psycopg.Error as error:  # the tables of one kind are wrong: the others go on
                refused.append(error)
        pending = await rollup.pending(conn, KINDS, PENDING_MAX)
        if not refused and all(live.values()):
            here.health.rolled_up(at, began, pending)
        took = time.monotonic() - began
        behind = False
        for kind, drained in live.items():
            behind |= await _backlog(here, conn, kind, drained)
    if refused:
        raise refused[0]
    metrics.ROLLUP_SECONDS.observe(took)
    metrics.ROLLUP_PENDING.set(pending)
    if behind:
        return time.monotonic() - began
    return min(max(REST_FACTOR * took, REST_MIN_S), REST_MAX_S)


async def _newest(here: Context, conn: psycopg.AsyncConnection[Any], kind: Kind) -> Drained | None:
    drained = await rollup.drain_whole(conn, kind, here.settings.zone, here.settings.rollup_batch)
    _count(kind, drained)
    return drained


async def _backlog(here: Context, conn: psycopg.AsyncConnection[Any], kind: Kind, drained: Drained | None) -> bool:
    """Older buckets, then late data of single devices; True if something is left when the time is over."""
    zone, limit = here.settings.zone, here.settings.rollup_batch
    until = time.monotonic() + BACKLOG_S
    while drained and drained.more and drained.oldest:
        if time.monotonic() > until or here.stop.is_set():
            return True
        drained = await rollup.drain_whole(conn, kind, zone, limit, before=drained.oldest)
        _count(kind, drained)
    while (drained := await rollup.drain_own(conn, kind, zone, limit)) and drained.more:
        _count(kind, drained)
        if time.monotonic() > until or here.stop.is_set():
            return True
    _count(kind, drained)
    return False


def _count(kind: Kind, drained: Drained | None) -> None:
    if drained:
        metrics.ROLLED_UP.labels(kind.name).inc(drained.changed)
