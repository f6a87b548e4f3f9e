"""Alerts that are not to be shown: shelves and windows, from the writer's side and from that of whoever ends them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from alerts.life import Order
from alerts.rule import Key
from storage import event_log, read_alerts, shelf, windows
from storage.alert_act import act
from storage.announce import announce_back
from storage.windows import Window
from tests.storage.world import GAUGE, LAMP, NOW, World, minutes, transition

pytestmark = pytest.mark.same_tables

UNTIL = NOW + minutes(60)
OUTBOX = "SELECT count(*) FROM notice_outbox"
EVENTS = "SELECT what, who, why FROM transition ORDER BY id"


async def shelve(world: World, scope: Any = "alert") -> int:
    """Shelve the newest alert for an hour."""
    number = int(await world.one("SELECT max(id) FROM alert"))
    order = Order("shelve", "sari", NOW, "sensor is being cleaned", UNTIL, scope)
    assert [each.outcome for each in await act(world.conn, {number: None}, order)] == ["done"]
    return number


async def come_back(world: World, at: datetime) -> int:
    """What the worker does; how many are told of."""
    async with world.conn.transaction():
        await world.conn.execute(event_log.LOCK)
        back = await shelf.end_shelves(world.conn, at) + await windows.apply_windows(world.conn, at)
        return await announce_back(world.conn, back, 2)


async def work(world: World, scope: str = "device", name: str = GAUGE.id, **more: Any) -> int:
    given = {"what": "maintenance", "from_at": NOW, "until": UNTIL, "reason": "new radar", "who": "ani"} | more
    return await windows.create(world.conn, Window(scope=scope, name=name, **given), NOW)


async def test_a_shelved_alert_is_out_of_sight_and_comes_back_by_itself(world: World) -> None:
    await world.move(transition("raised", 2))
    number = await shelve(world)
    counts = await read_alerts.counts(world.conn)
    assert (counts.open, counts.unacked, counts.shelved) == (0, (0, 0, 0, 0), 1)
    assert not await shelf.any_over(world.conn, UNTIL - minutes(1))
    assert await come_back(world, UNTIL - minutes(1)) == 0
    assert await shelf.any_over(world.conn, UNTIL)
    assert [await come_back(world, UNTIL) for _ in range(2)] == [1, 0]
    assert await world.rows(EVENTS) == [
        ("raised", None, None), ("shelved", "sari", "sensor is being cleaned"),
        ("unshelved", "siaga", "its time is over"),
    ]  # fmt: skip
    assert await world.rows("SELECT held, version FROM alert WHERE id = %s", number) == [(False, 3)]
    assert await world.one(OUTBOX) == 2


async def test_worse_than_it_was_when_shelved_it_comes_back_at_once(world: World) -> None:
    """A river at Siaga 1 is not hidden by a shelf that was set at Siaga 3; one that comes back to Siaga 3 is."""
    await world.move(transition("raised", 1))
    await shelve(world, "rule")
    await world.move(transition("eased", 0, was=1), transition("worsened", 1, was=0))
    assert await world.one(OUTBOX) == 0
    assert await world.one("SELECT held FROM alert") is True
    await world.move(transition("worsened", 3, was=1), now=NOW + minutes(5))
    assert (await world.rows(EVENTS))[-2:] == [
        ("worsened", None, None), ("unshelved", "siaga", "it became worse than it was when it was shelved"),
    ]  # fmt: skip
    assert await world.one(OUTBOX) == 1
    assert await world.rows("SELECT held, acked FROM alert") == [(False, False)]
    assert await world.one("SELECT count(*) FROM shelf") == 0


async def test_a_shelved_rule_takes_in_what_it_raises_meanwhile(world: World) -> None:
    """But nothing worse."""
    await world.move(transition("raised", 1))
    first = await shelve(world, "rule")
    await world.move(transition("cleared", None, was=1))
    await act(world.conn, {first: None}, Order("ack", "sari", NOW))
    await world.move(transition("raised", 1), now=NOW + minutes(10))
    assert (await world.rows(EVENTS))[-2:] == [("raised", None, None), ("shelved", "sari", "sensor is being cleaned")]
    assert await world.rows("SELECT held, shelved_until FROM alert WHERE id <> %s", first) == [(True, UNTIL)]
    assert await world.rows("SELECT what FROM transition WHERE quiet ORDER BY id") == [
        ("shelved",), ("cleared",), ("acked",), ("raised",), ("shelved",),
    ]  # fmt: skip
    await world.move(transition("raised", 2, key=Key("siaga", "elsewhere")), now=NOW + minutes(10))
    assert await world.one("SELECT held FROM alert WHERE device_id = 'elsewhere'") is False
    await world.move(transition("cleared", None, was=1), now=NOW + minutes(20))
    await act(world.conn, {int(await world.one("SELECT max(id) FROM alert WHERE held AND open")): None},
              Order("ack", "sari", NOW))  # fmt: skip
    await world.move(transition("raised", 3), now=NOW + minutes(30))
    assert await world.rows("SELECT severity, held FROM alert WHERE open ORDER BY id") == [(2, False), (3, False)]
    assert await world.one(OUTBOX) == 2


async def test_while_work_goes_on_alerts_are_kept_and_nobody_is_told(world: World) -> None:
    await world.move(transition("raised", 2, key=Key("siaga", "elsewhere")), transition("raised", 2))
    window = await work(world)
    assert await windows.any_windows(world.conn, NOW)
    for _ in range(2):
        assert await come_back(world, NOW) == 0
    assert not await windows.any_windows(world.conn, NOW)
    # One that stood before, one that comes meanwhile.
    await world.move(transition("raised", 3, key=Key("stale", GAUGE.id)), now=NOW + minutes(5))
    assert await world.rows("SELECT device_id, rule, window_id FROM alert ORDER BY id") == [
        ("elsewhere", "siaga", None), (GAUGE.id, "siaga", window), (GAUGE.id, "stale", window),
    ]  # fmt: skip
    assert (await world.rows(EVENTS))[2:] == [
        ("suppressed", "ani", "new radar"), ("raised", None, None), ("suppressed", "ani", "new radar"),
    ]  # fmt: skip
    assert await world.one(OUTBOX) == 2
    row = await windows.one(world.conn, window, NOW)
    assert row is not None
    assert (row["state"], row["withheld"]) == ("standing", 2)
    # Over: what still stands is shown and told.
    assert [await come_back(world, UNTIL) for _ in range(2)] == [2, 0]
    assert await world.one("SELECT count(*) FROM alert WHERE held") == 0
    assert (await world.rows(EVENTS))[-1] == ("released", "siaga", "the window is over")


async def test_what_came_and_went_while_work_went_on_needs_nobody(world: World) -> None:
    window = await work(world, "district", "12.09.19")
    await world.conn.execute("UPDATE device SET district = '12.09.19' WHERE id IN (%s, %s)", (GAUGE.id, LAMP.id))
    await world.move(transition("raised", 3), now=NOW + minutes(1))
    await world.move(transition("cleared", None, was=3), now=NOW + minutes(2))
    await world.move(transition("raised", 2, key=Key("siaga", LAMP.id)), now=NOW + minutes(3))
    assert await world.one(OUTBOX) == 0
    assert await windows.end(world.conn, window, "budi", "done", NOW + minutes(10))
    assert not await windows.end(world.conn, window, "budi", "done", NOW + minutes(10))
    assert await come_back(world, NOW + minutes(10)) == 1
    assert await world.rows("SELECT device_id, open, acked_by FROM alert ORDER BY id") == [
        (GAUGE.id, False, "siaga"), (LAMP.id, True, None),
    ]  # fmt: skip
    assert (await world.rows(EVENTS))[-3:] == [
        ("released", "budi", "done"), ("released", "budi", "done"), ("acked", "siaga", windows.CAME_AND_WENT),
    ]  # fmt: skip


async def test_a_window_covers_a_grouping_and_two_windows_one_after_the_other(world: World) -> None:
    await world.conn.execute("""UPDATE device SET attributes = attributes || '{"river": "Silau"}' WHERE id = %s""",
                             (GAUGE.id,))  # fmt: skip
    await world.move(transition("raised", 2), transition("raised", 2, key=Key("siaga", LAMP.id)))
    first = await work(world, "river", "Silau", until=NOW + minutes(30))
    second = await work(world, what="out_of_service", until=None, from_at=NOW + minutes(10))
    owners = []
    for minute in (0, 10, 29, 30, 5000):
        assert await come_back(world, NOW + minutes(minute)) == 0
        owners.append(await world.one("SELECT window_id FROM alert WHERE device_id = %s", GAUGE.id))
    assert owners == [first, first, first, second, second]
    assert [row["state"] for row in await windows.windows(world.conn, "all", None, 9, NOW + minutes(30))] == [
        "standing", "over",
    ]  # fmt: skip
    assert await world.one("SELECT window_id FROM alert WHERE device_id = %s", LAMP.id) is None
