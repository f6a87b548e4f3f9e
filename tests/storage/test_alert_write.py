"""Transitions as rows: one commit with their cause and their notice, one open alert a rule and device, its life."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from alerts.rule import Key
from storage import read_alerts
from tests.storage.world import GAUGE, LAMP, NOW, World, minutes, packet, transition

pytestmark = pytest.mark.same_tables

AFTER = ("latest", "ledger", "alert", "alert_state", "transition", "notice_outbox", "quarantine", "rollup_mark",
         "reading_water_level")  # fmt: skip


async def alert(world: World) -> dict[str, Any]:
    """The newest alert as the API shows it."""
    found = await read_alerts.one_alert(world.conn, await world.one("SELECT max(id) FROM alert"))
    assert found is not None
    return found


async def ack(world: World, alert_id: int) -> None:
    """An acknowledgement as a plain row; its own promises are tested in test_ack.py."""
    await world.conn.execute("UPDATE alert SET acked = true, worsened = false WHERE id = %s", (alert_id,))


async def test_transition_state_and_notice_commit_with_their_reading(world: World) -> None:
    written = await world.send([packet(GAUGE.id, {"ts": NOW - minutes(1), "level_m": 2.6})], now=NOW)
    ((number, moved),) = written.transitions
    assert (moved.what, moved.to_severity) == ("raised", 2)
    row = await world.rows(
        "SELECT id, alert_id, what, from_severity, to_severity, siaga, event_at, detected_at, who, value"
        " FROM transition"
    )
    first = await alert(world)
    assert row == [(number, first["id"], "raised", None, 2, 2, NOW - minutes(1), NOW, None, 2.6)]
    assert first["raised_at"] == "2026-11-24T11:59:00Z"
    assert first["detected_at"] == "2026-11-24T12:00:00Z"
    assert await world.rows("SELECT transition_id, why FROM notice_outbox") == [(number, "new")]
    assert await world.rows("SELECT rule, device_id, state->'rung' FROM alert_state") == [("siaga", "gauge", 2)]


async def test_they_vanish_together_when_the_commit_fails(world: World) -> None:
    """The very last step, the commit itself, is refused: nothing of the batch remains, and it can be sent again."""
    await world.conn.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                             " $$ BEGIN RAISE EXCEPTION 'not today'; END $$")  # fmt: skip
    await world.conn.execute("CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON notice_outbox"
                             " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()")  # fmt: skip
    batch = [
        packet(GAUGE.id, {"ts": NOW, "level_m": 2.6}, {"ts": NOW, "level_m": 2.7}),
        packet("nobody", {"ts": NOW}),
    ]
    with pytest.raises(psycopg.errors.RaiseException, match="not today"):
        await world.send(batch)
    empty = await world.everything(*AFTER)
    assert not any(empty.values())
    await world.conn.execute("DROP TRIGGER refuse ON notice_outbox")
    written = await world.send(batch)
    assert written.counts == {"stored": 1, "duplicate": 0, "conflict": 1, "quarantined": 1}
    full = await world.everything(*AFTER)
    assert all(full.values())


async def test_only_what_is_worth_a_notice_is_in_the_outbox(world: World) -> None:
    await world.move(transition("raised", 1))
    assert await world.one("SELECT count(*) FROM notice_outbox") == 0
    await world.move(transition("worsened", 2, was=1))
    assert await world.one("SELECT count(*) FROM notice_outbox") == 1
    await world.move(transition("eased", 1, was=2))
    await world.move(transition("raised", 3, key=Key("siaga", "elsewhere"), historical=True))
    assert await world.one("SELECT count(*) FROM notice_outbox") == 1


async def test_the_life_of_an_alert(world: World) -> None:
    await world.move(transition("raised", 2, siaga=2, value=2.6))
    born = await alert(world)
    assert born | {
        "severity": 2, "peak_severity": 2, "siaga": 2, "state": "active", "acked": False, "worsened": False,
        "historical": False, "cleared_at": None, "version": 1, "value": 2.6, "metric": "level_m",
    } == born  # fmt: skip
    await ack(world, born["id"])

    await world.move(transition("worsened", 3, was=2, siaga=1, value=3.2))
    worse = await alert(world)
    assert worse | {
        "id": born["id"], "severity": 3, "peak_severity": 3, "siaga": 1, "acked": False, "worsened": True, "version": 2,
    } == worse  # fmt: skip
    await ack(world, born["id"])

    await world.move(transition("eased", 2, was=3, siaga=2))
    eased = await alert(world)
    assert eased | {
        "severity": 2, "peak_severity": 3, "siaga": 2, "acked": True, "worsened": False, "version": 3,
    } == eased  # fmt: skip

    await world.move(transition("cleared", None, was=2, siaga=4, event_at=NOW + minutes(50)))
    cleared = await alert(world)
    assert cleared | {
        "state": "cleared", "severity": 2, "siaga": 4, "cleared_at": "2026-11-24T12:50:00Z", "version": 4,
        "raised_at": born["raised_at"],
    } == cleared  # fmt: skip
    assert await world.one("SELECT open FROM alert") is False

    await world.move(transition("raised", 1, siaga=3, event_at=NOW + minutes(60)))
    again = await alert(world)
    assert again["id"] != born["id"]
    assert again | {"severity": 1, "peak_severity": 1, "state": "active", "acked": False, "version": 1} == again
    history = await read_alerts.history(world.conn, born["id"])
    assert [row["what"] for row in history] == ["raised", "worsened", "eased", "cleared"]


async def test_an_unseen_alert_that_comes_back_is_the_same_alert(world: World) -> None:
    """Cleared and not acknowledged it stays open, so that somebody sees what happened; come back it goes on."""
    await world.move(transition("raised", 2))
    first = await alert(world)
    await world.move(transition("cleared", None, was=2))
    assert await world.one("SELECT open FROM alert") is True
    await world.move(transition("raised", 1, siaga=3, event_at=NOW + minutes(60)))
    back = await alert(world)
    assert back | {
        "id": first["id"], "state": "active", "severity": 1, "peak_severity": 2, "siaga": 3, "cleared_at": None,
        "raised_at": first["raised_at"], "version": 3,
    } == back  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "acked", "worsened"),
    [
        ([("worsened", 3, 2)], False, True),
        ([("eased", 1, 2)], True, False),
        ([("worsened", 3, 2), ("eased", 2, 3)], False, False),
        ([("eased", 1, 2), ("worsened", 2, 1)], False, True),
        ([("went_live", 2, 2)], False, False),
        ([("went_live", 3, 2)], False, True),
    ],
    ids=lambda value: "-".join(step[0] for step in value) if isinstance(value, list) else None,
)
async def test_what_worse_and_better_do_to_an_acknowledgement(
    world: World, steps: list[tuple[Any, int, int]], acked: bool, worsened: bool
) -> None:
    await world.move(transition("raised", 2, historical=steps[0][0] == "went_live"))
    await ack(world, await world.one("SELECT id FROM alert"))
    await world.move(*(transition(what, to, was=was) for what, to, was in steps))
    found = await alert(world)
    assert (found["acked"], found["worsened"], found["historical"]) == (acked, worsened, False)


async def test_a_historical_alert_is_closed_by_its_end(world: World) -> None:
    await world.move(transition("raised", 2, historical=True))
    assert await world.rows("SELECT open, historical FROM alert") == [(True, True)]
    await world.move(transition("cleared", None, was=2, historical=True))
    assert await world.rows("SELECT open, historical FROM alert") == [(False, True)]


async def test_one_open_alert_per_rule_and_device(world: World, other: psycopg.AsyncConnection[Any]) -> None:
    await world.move(transition("raised", 2), transition("raised", 3), transition("raised", 1, key=Key("siaga", "b")))
    assert await world.rows("SELECT device_id, severity FROM alert ORDER BY device_id") == [("b", 1), ("gauge", 3)]
    with pytest.raises(psycopg.errors.UniqueViolation, match="alert_one_open"):
        await other.execute(
            "INSERT INTO alert (rule, device_id, kind, severity, peak_severity, active, historical, raised_at,"
            " detected_at) VALUES ('siaga', 'gauge', 'water_level', 1, 1, true, false, now(), now())"
        )


async def test_a_move_without_an_alert_is_passed_over(world: World) -> None:
    """Somebody removed the open alert by hand; ingest must not stand still for ever because of it."""
    written = await world.move(transition("worsened", 3, was=2), transition("cleared", None, was=3))
    assert written.transitions == []
    assert await world.one("SELECT count(*) FROM transition") == 0


async def test_a_whole_flood_through_the_engine(world: World) -> None:
    """Readings every ten minutes over the bounds of a gauge and back: its rows tell the story."""
    levels = [1.9, 2.05, 2.1, 2.55, 3.05, 3.2, 2.95, 2.8, 2.6, 2.3, 2.2, 2.0, 1.8, 1.7, 1.6, 1.5, 1.5, 1.5, 1.5]
    for i, level_m in enumerate(levels):
        at = NOW + minutes(10 * i)
        await world.send([packet(GAUGE.id, {"ts": at, "level_m": level_m}, at=at)], now=at + timedelta(seconds=1))
    told = await world.rows("SELECT what, to_severity, siaga FROM transition ORDER BY id")
    assert told[:3] == [("raised", 1, 3), ("worsened", 2, 2), ("worsened", 3, 1)]
    assert told[-1] == ("cleared", None, 4)
    assert await world.rows("SELECT active, peak_severity, open FROM alert") == [(False, 3, True)]
    assert await world.rows("SELECT * FROM alert_state WHERE device_id = 'gauge'") == []


async def test_two_devices_move_in_one_batch(world: World) -> None:
    written = await world.send(
        [packet(LAMP.id, *({"ts": NOW + timedelta(seconds=i), "voltage_v": 260} for i in range(2))),
         packet(GAUGE.id, {"ts": NOW, "level_m": 3.5})]
    )  # fmt: skip
    numbers = [number for number, _ in written.transitions]
    assert numbers == sorted(numbers)
    assert {t.key for _, t in written.transitions} == {Key("voltage_high", "lamp"), Key("siaga", "gauge")}
    assert await world.one("SELECT count(DISTINCT alert_id) FROM transition") == 2
