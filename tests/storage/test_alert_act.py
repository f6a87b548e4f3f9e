"""What people do to alerts: one of several wins, the log says who, and nobody overtakes the writer or deadlocks."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import psycopg
import pytest

from alerts.life import Order
from alerts.rule import Key
from storage import event_log, read_alerts
from storage.alert_act import Outcome, act, release, suppress
from storage.connect import connect_async
from tests.storage.waiting import until_waiting
from tests.storage.world import NOW, World, minutes, transition

pytestmark = pytest.mark.same_tables

LATER: datetime = NOW + minutes(3)
Conn = psycopg.AsyncConnection[Any]


@pytest.fixture
async def alert_id(world: World) -> int:
    await world.move(transition("raised", 2))
    return int(await world.one("SELECT id FROM alert"))


async def ack(conn: Conn, alert_id: int, versions: frozenset[int] | None = None, comment: str | None = None) -> Outcome:
    (acted,) = await act(conn, {alert_id: versions}, Order("ack", "sari", LATER, comment))
    return acted.outcome


async def test_an_acknowledgement_says_who_when_and_why(world: World, alert_id: int) -> None:
    assert await ack(world.conn, alert_id, frozenset({1}), "crew is on its way") == "done"
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
    [(None, "done"), (frozenset({1}), "done"), (frozenset({3, 1}), "done"), (frozenset({2}), "changed"),
     (frozenset(), "changed")],
)  # fmt: skip
async def test_it_holds_for_the_version_that_was_seen(
    world: World, alert_id: int, versions: frozenset[int] | None, outcome: Outcome
) -> None:
    assert await ack(world.conn, alert_id, versions) == outcome
    assert await world.one("SELECT acked FROM alert") is (outcome == "done")
    assert await world.one("SELECT count(*) FROM transition WHERE what = 'acked'") == (outcome == "done")


async def test_an_alert_that_worsened_meanwhile_was_not_seen(world: World, alert_id: int) -> None:
    await world.move(transition("worsened", 3, was=2))
    assert await ack(world.conn, alert_id, frozenset({1})) == "changed"
    assert await ack(world.conn, alert_id, frozenset({2})) == "done"
    assert await world.rows("SELECT acked, worsened FROM alert") == [(True, False)]


async def test_an_unknown_alert(world: World) -> None:
    assert await ack(world.conn, 4711) == "unknown"


async def test_one_order_for_many_is_judged_for_each(world: World, alert_id: int) -> None:
    """What is as it was seen goes through; what is not is told, in the order asked."""
    await world.move(*(transition("raised", 1, key=Key("siaga", name)) for name in ("a", "b", "c")))
    a, b, c = (number for (number,) in await world.rows("SELECT id FROM alert WHERE device_id <> 'gauge' ORDER BY id"))
    await ack(world.conn, b)
    acted = await act(world.conn, {c: frozenset({7}), b: None, 4711: None, a: frozenset({1}), alert_id: None},
                      Order("ack", "sari", LATER, "all of them"))  # fmt: skip
    assert [(each.id, each.outcome, each.version) for each in acted] == [
        (c, "changed", 1), (b, "refused", 2), (4711, "unknown", None), (a, "done", 2), (alert_id, "done", 2),
    ]  # fmt: skip
    assert all(bool(each.problem) == (each.outcome != "done") for each in acted)
    assert await world.rows("SELECT alert_id FROM transition WHERE why = 'all of them' ORDER BY id") == [
        (alert_id,), (a,),
    ]  # fmt: skip


async def test_every_deed_is_an_event(world: World, alert_id: int) -> None:
    until = LATER + minutes(60)
    for order in (
        Order("assign", "ani", LATER, assignee="budi"),
        Order("comment", "budi", LATER, "on my way"),
        Order("ack", "budi", LATER),
        Order("unack", "budi", LATER, "wrong river"),
        Order("shelve", "budi", LATER, "sensor is being cleaned", until),
        Order("unshelve", "budi", LATER),
        Order("assign", "ani", LATER, assignee=None),
    ):
        assert [each.outcome for each in await act(world.conn, {alert_id: None}, order)] == ["done"], order
    history = (await read_alerts.history(world.conn, alert_id))[1:]
    assert [(row["what"], row["who"], row["why"], row["assignee"], row["until"]) for row in history] == [
        ("assigned", "ani", None, "budi", None),
        ("commented", "budi", "on my way", None, None),
        ("acked", "budi", None, None, None),
        ("unacked", "budi", "wrong river", None, None),
        ("shelved", "budi", "sensor is being cleaned", None, "2026-11-24T13:03:00Z"),
        ("unshelved", "budi", None, None, None),
        ("assigned", "ani", None, None, None),
    ]
    found = await read_alerts.one_alert(world.conn, alert_id)
    assert found is not None
    assert found | {"version": 8, "acked": False, "acked_by": None, "assignee": None, "shelved_until": None} == found


async def test_an_alert_that_another_stands_for(world: World, alert_id: int) -> None:
    """Held while the parent stands for it, and neither under itself nor under two."""
    await world.move(*(transition("raised", 2, key=Key("siaga", name)) for name in ("a", "b")))
    a, b = (number for (number,) in await world.rows("SELECT id FROM alert WHERE device_id <> 'gauge' ORDER BY id"))
    assert await suppress(world.conn, [a, b, alert_id], alert_id, "siaga", "panel 7 is out", LATER) == [a, b]
    assert await suppress(world.conn, [a], b, "siaga", "another", LATER) == []
    assert await world.rows("SELECT id, parent_id, held FROM alert ORDER BY id") == [
        (alert_id, None, False), (a, alert_id, True), (b, alert_id, True),
    ]  # fmt: skip
    counts = await read_alerts.counts(world.conn)
    assert (counts.open, counts.suppressed, counts.shelved) == (1, 2, 0)
    events = await release(world.conn, [a, b, alert_id], "siaga", "panel 7 is back", LATER)
    told = await world.rows("SELECT id, alert_id, what, who FROM transition WHERE what = 'released' ORDER BY id")
    assert told == [(events[0], a, "released", "siaga"), (events[1], b, "released", "siaga")]
    assert (await read_alerts.counts(world.conn)).suppressed == 0
    assert await world.rows("SELECT DISTINCT what, parent_id FROM transition WHERE what = 'suppressed'") == [
        ("suppressed", alert_id),
    ]  # fmt: skip


@pytest.mark.two_sessions
async def test_of_two_operators_one_wins(world: World, other: Conn, alert_id: int) -> None:
    outcomes = await asyncio.gather(ack(world.conn, alert_id), ack(other, alert_id))
    assert sorted(outcomes) == ["done", "refused"]
    assert await world.one("SELECT count(*) FROM transition WHERE what = 'acked'") == 1


async def test_a_cleared_alert_is_closed_by_it(world: World, alert_id: int) -> None:
    await world.move(transition("cleared", None, was=2))
    assert await world.one("SELECT open FROM alert") is True
    assert await ack(world.conn, alert_id) == "done"
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
    assert outcome == "done"
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
        assert await acking == "done"
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
