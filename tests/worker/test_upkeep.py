"""Housekeeping: jobs of workers that are gone are done again, and what is over is deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices.kinds import KINDS
from storage.flavour import current_async, parts, start_of
from storage.kind_tables import STEPS, table_of
from tests.storage.world import GAUGE, World, packet
from worker import upkeep
from worker.count_ledger import count_ledger
from worker.upkeep import drop_payloads, forget_sessions, make_ahead, prune_jobs, retry_stalled

Make = Callable[..., Any]

JOBS = "SELECT task_name, status::text, attempts FROM procrastinate_jobs ORDER BY task_name"
ADD_JOB = """
INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id) VALUES ('notices', %s, %s, %s) RETURNING id
"""
ADD_WORKER = """
INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => %s)) RETURNING id
"""


async def add_job(world: World, name: str, status: str, worker: int | None = None, started_s: float = 0) -> None:
    number = await world.one(ADD_JOB, name, status, worker)
    await world.conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) VALUES (%s, 'started', now() - make_interval(secs => %s))",
        (number, started_s),
    )


async def test_only_what_nobody_is_at_is_done_again(world: World, worker: Make) -> None:
    here = await worker()
    living, killed = await world.one(ADD_WORKER, 1), await world.one(ADD_WORKER, 3600)
    await add_job(world, "a, under way", "doing", living)
    await add_job(world, "b, of a killed worker", "doing", killed)
    await add_job(world, "c, of a worker that is deregistered", "doing")
    await add_job(world, "d, forgotten by a living worker", "doing", living, started_s=3600)
    await add_job(world, "e, failed for good", "failed", killed)
    for _ in range(2):
        await retry_stalled(here)
    assert [(name[0], status, tries) for name, status, tries in await world.rows(JOBS)] == [
        ("a", "doing", 0), ("b", "todo", 1), ("c", "todo", 1), ("d", "todo", 1), ("e", "failed", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "aborted"])
async def test_ended_jobs_are_kept_for_a_week(world: World, worker: Make, status: str) -> None:
    await add_job(world, "new", status)
    await add_job(world, "old", status)
    await add_job(world, "waiting", "todo")
    await world.conn.execute(
        "UPDATE procrastinate_events SET at = now() - interval '8 days' WHERE job_id IN"
        " (SELECT id FROM procrastinate_jobs WHERE task_name IN ('old', 'waiting'))"
    )
    await prune_jobs(await worker())
    assert [name for name, _, _ in await world.rows(JOBS)] == ["new", "waiting"]


async def test_sessions_that_are_over_are_forgotten(world: World, worker: Make) -> None:
    for digest, hours in ((b"over", -1), (b"running", 1)):
        await world.conn.execute(
            "INSERT INTO session (digest, what, name, role, expires_at)"
            " VALUES (%s, 'session', 'x', 'viewer', now() + make_interval(hours => %s))",
            (digest, hours),
        )
    await forget_sessions(await worker())
    assert await world.rows("SELECT digest FROM session") == [(b"running",)]


async def test_payloads_that_had_their_time_are_dropped(
    world: World, worker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches; rows, counts and what waits for a person stay, and what comes again is still recognised."""
    monkeypatch.setattr(upkeep, "PAYLOADS_AT_ONCE", 2)
    now = datetime.now(UTC)
    bad = [packet(GAUGE.id, {"ts": n}, at=now) for n in range(8)]
    await world.send(bad, now)
    states = [*["discarded"] * 3, "replayed", "replayed", "open", "claimed", "replaying"]
    await world.conn.execute(
        "UPDATE quarantine SET last_seen = now() - interval '91 days', state = (%s::text[])[id]", (states,)
    )
    await world.conn.execute("UPDATE quarantine SET last_seen = now() - interval '89 days' WHERE id = 1")
    kept = "SELECT id, count FROM quarantine WHERE payload IS NOT NULL ORDER BY id"
    await drop_payloads(await worker(quarantine_keep_days=0))
    assert len(await world.rows(kept)) == 8
    here = await worker()
    for _ in range(2):
        await drop_payloads(here)
        assert await world.rows(kept) == [(1, 1), (6, 1), (7, 1), (8, 1)]
    await world.send(bad, now)
    assert await world.rows("SELECT count, count(*) FROM quarantine GROUP BY 1") == [(2, 8)]


async def test_the_ledger_is_counted_then_summed(world: World, worker: Make) -> None:
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    readings = [{"ts": at + timedelta(minutes=n), "seq": n, "boot": "a", "level_m": 1.0} for n in (1, 2, 7)]
    await world.send([packet(GAUGE.id, each, at=at + timedelta(minutes=9)) for each in readings], at)
    here = await worker()
    while await count_ledger(here) is not None:
        pass
    query = "SELECT stored, missing, expected FROM ledger_sum WHERE hour = %s AND kind = 'water_level'"
    assert await world.rows(query, at) == [(3, 4, 7)]
    assert await world.one("SELECT count(*) FROM ledger_mark") == 0


async def test_the_next_parts_are_made_ahead(world: World, worker: Make) -> None:
    here = await worker()
    for _ in range(2):
        await make_ahead(here)
        for kind in KINDS.values():
            for level, step in STEPS.items():
                found = await parts(world.conn, await current_async(world.conn), table_of(kind, level))
                first = start_of(datetime.now(UTC), step)
                assert [(part.since, part.until - part.since) for part in found] == [
                    (first, step),
                    (first + step, step),
                ]
