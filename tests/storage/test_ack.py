"""Acknowledging: one of several wins, the log says who, and writer and operator neither deadlock nor overtake."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import psycopg
import pytest

from storage import event_log, read_alerts
from storage.ack import Outcome, acknowledge
from storage.connect import connect_async
from tests.storage.waiting import until_waiting
from tests.storage.world import NOW, World, minutes, transition

LATER: datetime = NOW + minutes(3)
Conn = psycopg.AsyncConnection[Any]


@pytest.fixture
async def alert_id(world: World) -> int:
    await world.move(transition("raised", 2))
    return int(await world.one("SELECT id FROM alert"))


async def ack(conn: Conn, alert_id: int, versions: frozenset[int] | None = None, comment: str | None = None) -> Outcome:
    return await acknowledge(conn, alert_id, versions, "sari", comment, LATER)


async def test_an_acknowledgement_says_who_when_and_why(world: World, alert_id: int) -> None:
    assert await ack(world.conn, alert_id, frozenset({1}), "crew is on its way") == "acked"
    found = await read_alerts.one_alert(world.conn, alert_id)
    assert found is not None
    assert found | {
        "acked": True, "acked_by": "sari", "acked_at": "2026-11-24T12:03:00Z", "comment": "crew is on its way",
        "version": 2, "state": "active", "severity": 2,
    } == found  # fmt: skip
    last = (await read_alerts.history(world.conn, alert_id))[-1]
    assert last | {
        "what": "acked", "from_severity": 2, "to_severity": 2, "siaga": 2, "who": "sari", "why": "crew is on its way",
        "event_at": "2026-11-24T12:03:00Z",
    } == last  # fmt: skip


@pytest.mark.parametrize(
    ("versions", "outcome"),
    [(None, "acked"), (frozenset({1}), "acked"), (frozenset({3, 1}), "acked"), (frozenset({2}), "changed"),
     (frozenset(), "changed")],
)  # fmt: skip
async def test_it_holds_for_the_version_that_was_seen(
    world: World, alert_id: int, versions: frozenset[int] | None, outcome: Outcome
) -> None:
    assert await ack(world.conn, alert_id, versions) == outcome
    assert await world.one("SELECT acked FROM alert") is (outcome == "acked")
    assert await world.one("SELECT count(*) FROM transition WHERE what = 'acked'") == (outcome == "acked")


async def test_an_alert_that_worsened_meanwhile_was_not_seen(world: World, alert_id: int) -> None:
    await world.move(transition("worsened", 3, was=2))
    assert await ack(world.conn, alert_id, frozenset({1})) == "changed"
    assert await ack(world.conn, alert_id, frozenset({2})) == "acked"
    assert await world.rows("SELECT acked, worsened FROM alert") == [(True, False)]


async def test_an_unknown_alert(world: World) -> None:
    assert await ack(world.conn, 4711) == "unknown"


@pytest.mark.two_sessions
async def test_of_two_operators_one_wins(world: World, other: Conn, alert_id: int) -> None:
    outcomes = await asyncio.gather(ack(world.conn, alert_id), ack(other, alert_id))
    assert sorted(outcomes) == ["acked", "already acked"]
    assert await world.one("SELECT count(*) FROM transition WHERE what = 'acked'") == 1


async def test_a_cleared_alert_is_closed_by_it(world: World, alert_id: int) -> None:
    await world.move(transition("cleared", None, was=2))
    assert await world.one("SELECT open FROM alert") is True
    assert await ack(world.conn, alert_id) == "acked"
    assert await world.one("SELECT open FROM alert") is False


@pytest.mark.two_sessions
async def test_writer_and_operator_do_not_deadlock(database_url: str, world: World, alert_id: int) -> None:
    """Both have begun and wait for the event log: whoever held the alert already would now be in the other's way."""
    async with (
        await connect_async(database_url, "holder") as holder,
        await connect_async(database_url, "operator") as operator,
        await connect_async(database_url, "look") as look,
    ):
        async with holder.transaction():
            await holder.execute(event_log.LOCK)
            writing = asyncio.create_task(world.move(transition("worsened", 3, was=2)))
            await until_waiting(look, world.conn.info.backend_pid)
            acking = asyncio.create_task(ack(operator, alert_id))
            await until_waiting(look, world.conn.info.backend_pid, operator.info.backend_pid)
        written, outcome = await asyncio.gather(writing, acking)
    assert len(written.transitions) == 1
    assert outcome == "acked"
    logged = await world.rows("SELECT what FROM transition ORDER BY id")
    assert logged == [("raised",), ("worsened",), ("acked",)]


@pytest.mark.two_sessions
async def test_events_are_in_commit_order(database_url: str, world: World, other: Conn, alert_id: int) -> None:
    """Who has an id and has not committed keeps the others waiting: a cursor past them would miss it."""
    async with await connect_async(database_url, "look") as look:
        async with world.conn.transaction():
            await world.conn.execute(event_log.LOCK)
            values = {
                "alert_id": alert_id, "what": "eased", "from_severity": 2, "to_severity": 1, "siaga": 3,
                "event_at": NOW, "detected_at": NOW, "who": None, "why": None, "value": 2.2,
            }  # fmt: skip
            first = await (await world.conn.execute(event_log.INSERT, values)).fetchone()
            acking = asyncio.create_task(ack(other, alert_id))
            await until_waiting(look, other.info.backend_pid)
            assert await read_alerts.last_event(look) == 1
        assert await acking == "acked"
        assert first is not None
        after = await read_alerts.events(look, 1, 10)
    assert [row["id"] for row, _ in after] == [first[0], first[0] + 1]
    assert [row["what"] for row, _ in after] == ["eased", "acked"]


async def test_a_cursor_misses_nothing(database_url: str, world: World, alert_id: int) -> None:
    """A follower that asks all the time sees every event once, in order, while writers and operators go on."""
    rounds = 25
    over = asyncio.Event()
    seen: list[int] = []

    async def follow() -> None:
        async with await connect_async(database_url, "follower") as conn:
            while True:
                ended = over.is_set()
                seen.extend([int(row["id"]) for row, _ in await read_alerts.events(conn, seen[-1] if seen else 0, 3)])
                if ended and await read_alerts.last_event(conn) == (seen[-1] if seen else 0):
                    return

    async def write() -> None:
        for _ in range(rounds):
            await world.move(transition("worsened", 3, was=2), transition("eased", 2, was=3))

    async def operate() -> None:
        async with await connect_async(database_url, "operator") as conn:
            for _ in range(rounds):
                await ack(conn, alert_id)

    following = asyncio.create_task(follow())
    async with asyncio.timeout(60):
        await asyncio.gather(write(), operate())
        over.set()
        await following
    every = [number for (number,) in await world.rows("SELECT id FROM transition ORDER BY id")]
    assert seen == every
    assert len(seen) > 2 * rounds
