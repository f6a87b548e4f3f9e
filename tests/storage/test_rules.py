"""Rules in the database: versions, ingest that takes them over, and a dry-run that tells what was told live."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from alerts.engine import Transition
from alerts.rule import Rule, Variant, shipped
from storage import rules
from storage.connect import connect_async
from storage.rules_replay import Past, Run, dry_run
from tests.storage.world import COUNTER, GAUGE, LAMP, NOW, World, minutes, packet

pytestmark = pytest.mark.same_tables

(SIAGA,) = (rule for rule in shipped() if rule.id == "siaga")
STATES = "SELECT rule, device_id FROM alert_state ORDER BY 1, 2"
STEPS = """
SELECT a.rule, a.device_id, t.what, t.event_at, t.from_severity, t.to_severity
FROM transition t JOIN alert a ON a.id = t.alert_id ORDER BY t.id
"""


def siaga(**change: Any) -> Rule:
    return Rule.model_validate({**SIAGA.model_dump(), **change})


def wanted(rule: Rule, give_back: bool = False) -> rules.Change:
    return rules.Change(rule.variant, None if give_back else rule, "budi", "wet season", NOW)


async def test_a_change_is_a_version_and_is_refused_to_who_has_not_seen_the_last(world: World) -> None:
    conn = world.conn
    assert await rules.version(conn) == 0
    assert (await rules.read(conn)).rules == shipped()
    first = await rules.change(conn, wanted(siaga(hysteresis=0.2)), frozenset({0}))
    assert first.done
    assert await rules.change(conn, wanted(siaga(hysteresis=0.3)), frozenset({0})) == (first.version, False)
    beside = siaga(scope={"river": "Silau"}, hysteresis=0.5)
    second = await rules.change(conn, wanted(beside), frozenset({0}))
    known = await rules.read(conn)
    assert known.version == second.version > first.version
    own = [(each.rule.hysteresis, each.version) for each in known.in_force if each.origin == "stored"]
    assert own == [(0.2, first.version), (0.5, second.version)]

    third = await rules.change(conn, wanted(SIAGA, give_back=True), None)
    assert third.done
    assert await rules.change(conn, wanted(SIAGA, give_back=True), None) == (third.version, False)
    assert [each.rule.hysteresis for each in (await rules.read(conn)).in_force if each.rule.id == "siaga"] == [0.1, 0.5]
    past = await rules.history(conn, "siaga", 10)
    assert [(each.version, each.variant.scope, each.definition is None, each.who) for each in past] == [
        (third.version, "", True, "budi"), (second.version, "river=Silau", False, "budi"),
        (first.version, "", False, "budi"),
    ]  # fmt: skip


@pytest.mark.two_sessions
async def test_of_two_who_have_seen_the_same_one_changes_it(world: World, database_url: str) -> None:
    async with await connect_async(database_url, "test") as other:
        done = await asyncio.gather(
            *(rules.change(conn, wanted(SIAGA), frozenset({0})) for conn in (world.conn, other)),
        )
    assert sorted(each.done for each in done) == [False, True]


async def flood(world: World) -> None:
    await world.send([packet("gauge", {"ts": NOW, "level_m": 2.6})])
    assert await world.rows(STATES) == [("siaga", "gauge")]


@pytest.mark.parametrize("restart", [False, True])
async def test_a_rule_with_other_levels_closes_its_alert_once_and_begins_anew(world: World, restart: bool) -> None:
    await flood(world)
    two = siaga(level=SIAGA.model_dump()["level"][1:])
    changed = await rules.change(world.conn, wanted(two), None)
    if restart:
        await world.restart()
    else:
        assert await world.ground.look_for_rules()
    assert not await world.ground.look_for_rules()
    assert world.ground.rules_version == changed.version
    assert world.ground.engine.states == {}
    assert await world.rows(STATES) == []
    await world.restart()
    assert [row[2] for row in await world.rows(STEPS)] == ["raised", "cleared"]
    assert await world.one("SELECT active FROM alert") is False
    why = await world.one("SELECT why FROM transition WHERE what = 'cleared'")
    assert why == f"rule changed (version {changed.version})"

    await world.send([packet("gauge", {"ts": NOW + minutes(10), "level_m": 2.6}, at=NOW + minutes(10))])
    steps = [(row[2], row[4], row[5]) for row in await world.rows(STEPS)]
    assert steps == [("raised", None, 2), ("cleared", 2, None), ("raised", None, 2)]


async def test_other_bounds_change_under_an_alert(world: World) -> None:
    await flood(world)
    await rules.change(world.conn, wanted(siaga(delay_off_s=0)), None)
    assert await world.ground.look_for_rules()
    assert [row[2] for row in await world.rows(STEPS)] == ["raised"]
    await world.send([packet("gauge", {"ts": NOW + minutes(60), "level_m": 1.0}, at=NOW + minutes(60))])
    assert [row[2] for row in await world.rows(STEPS)] == ["raised", "cleared"]


async def test_a_device_that_moves_to_where_the_rule_is_off(world: World) -> None:
    await flood(world)
    off = siaga(scope={"river": "Asahan"}, enabled=False)
    await rules.change(world.conn, wanted(off), None)
    await world.ground.look_for_rules()
    assert [row[2] for row in await world.rows(STEPS)] == ["raised"]
    await world.conn.execute(
        """UPDATE device SET attributes = attributes || '{"river": "Asahan"}', changed_at = clock_timestamp()
        WHERE id = 'gauge'"""
    )
    assert await world.ground.look_for_devices()
    assert [row[2] for row in await world.rows(STEPS)] == ["raised", "cleared"]
    assert await world.rows(STATES) == []


async def test_a_stored_rule_that_is_refused_does_not_stop_ingest(world: World) -> None:
    await world.conn.execute(
        "INSERT INTO rule_version (rule, kind, scope, definition, at, who, why)"
        """ VALUES ('siaga', 'water_level', '', '{"id": "siaga"}', now(), 'x', 'y')"""
    )
    await world.restart()
    await flood(world)


VALUES = {
    GAUGE.id: {"level_m": [None, 1.0, 1.95, 2.0, 2.4, 2.5, 2.8, 3.1, 25.0]},
    LAMP.id: {"voltage_v": [None, 0, 175, 190, 199, 220, 232, 251], "power_w": [0, 25, 90]},
    COUNTER.id: {"speed_kmh": [None, 5, 15, 22, 40], "occupancy_pct": [0, 10, 30, 80]},
}  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_dry_run_tells_what_was_told_live(world: World, seed: int) -> None:
    """Batches that come apart, late readings, copies, readings of another value, and what the checks mistrust."""
    dice = random.Random(seed)
    sent: list[tuple[str, dict[str, Any]]] = []
    at = NOW
    for _ in range(50):
        at += timedelta(seconds=dice.choice([1, 60, 300, 900]))
        packets = []
        for _ in range(dice.randint(1, 6)):
            device = dice.choice(list(VALUES))
            ts = at - timedelta(seconds=dice.choice([0, 0, 0, 30, 400, 2000]))
            item = {"ts": ts, **{name: dice.choice(given) for name, given in VALUES[device].items()}}
            if sent and dice.random() < 0.15:
                device, item = dice.choice(sent)
            sent.append((device, dict(item)))
            packets.append(packet(device, dict(item), at=at))
        await world.send(packets, at)
    live = await world.rows(STEPS)
    found: list[Transition] = []
    chosen = tuple(rule for rule in shipped() if rule.condition != "stale")  # the clock of a world stands still
    past = Past(NOW - timedelta(hours=2), at + timedelta(hours=1))
    ran = await dry_run(world.conn, past, [Run(chosen, found.extend)])
    assert ran.devices == 3
    told = [(*each.key, each.what, each.event_at, each.from_severity, each.to_severity) for each in found]
    assert len(live) > 5
    assert by_alert(told) == by_alert(live)


def by_alert(steps: list[tuple[Any, ...]]) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """What happened to each rule and device, in order."""
    return {key: [step[2:] for step in steps if step[:2] == key] for key in sorted({step[:2] for step in steps})}


async def test_a_dry_run_is_of_the_devices_and_the_time_that_are_asked_for(world: World) -> None:
    for minute in range(0, 60, 10):
        at = NOW + minutes(minute)
        await world.send([packet("gauge", {"ts": at, "level_m": 2.6}, at=at), packet("lamp", {"ts": at}, at=at)], at)
    found: list[Transition] = []
    run = Run((SIAGA,), found.extend)
    ran = await dry_run(world.conn, Past(NOW + minutes(10), NOW + minutes(30)), [run])
    assert (ran, [each.event_at for each in found]) == ((1, 2), [NOW + minutes(10)])
    assert await dry_run(world.conn, Past(NOW, NOW + minutes(60), ["lamp"]), [run]) == (0, 0)


def test_a_variant_is_named_as_its_columns() -> None:
    assert siaga(scope={"river": "Silau"}).variant == Variant("siaga", "water_level", "river=Silau")
