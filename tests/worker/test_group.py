"""Incidents on a real database: many alerts become one, members come back, and nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pytest

from alerts import installation
from alerts.life import Order
from alerts.rule import Key, Rule, shipped
from devices.device import Device
from storage import rules, windows
from storage.alert_act import act
from storage.connect import connect_async
from storage.fleet import import_devices
from storage.rules import Change
from storage.windows import Window
from tests.storage.world import NOW, REGION, World, minutes, transition
from worker.context import Context
from worker.group import look
from worker.unshelve import unshelve

OUTAGE = next(rule for rule in shipped() if rule.id == "outage")
GATEWAY = next(rule for rule in shipped() if rule.id == "gateway_silent")
INCIDENTS = (
    "SELECT rule, device_id, kind, severity, active, historical FROM alert WHERE device_id LIKE '$%%' ORDER BY id"
)
UNDER = """
SELECT p.device_id, count(DISTINCT a.device_id) FROM alert AS a JOIN alert AS p ON p.id = a.parent_id
GROUP BY p.id ORDER BY p.id
"""
STEPS = """
SELECT t.what, t.event_at, t.why FROM transition AS t JOIN alert AS a ON a.id = t.alert_id
WHERE a.device_id = %s ORDER BY t.id
"""
HEARD = """
INSERT INTO latest (device_id, kind, ts, received_at, qc, qc_reason, "values")
SELECT id, kind, %s, %s, 1, 0, '{}' FROM device
"""
TOLD = "SELECT count(*) FROM notice_outbox AS n JOIN transition AS t ON t.id = n.transition_id WHERE t.what = %s"
PANEL, NORTH, SOUTH = "$panel/P-01", "$feeder/F-N", "$feeder/F-S"
NORTHERN = [f"lamp-{number}" for number in range(6)]
SOUTHERN = [f"lamp-{number}" for number in range(6, 10)]
LAMPS = [*NORTHERN, *SOUTHERN]


class Town:
    """A panel of ten lamps, six and four on a feeder each, and the workers that look at them."""

    def __init__(self, world: World, workers: Callable[..., Any]) -> None:
        self.world, self._workers = world, workers

    async def build(self, **more: Any) -> None:
        devices = [
            Device(
                lamp, "streetlight", region=REGION, lat=2.98, lon=99.6,
                attributes={"panel": "P-01", "feeder": "F-N" if lamp in NORTHERN else "F-S"} | more,
            )
            for lamp in LAMPS
        ]  # fmt: skip
        async with await connect_async(self.world.url, "fleet") as conn:
            await import_devices(conn, devices)
            await conn.execute(HEARD, (NOW, NOW))
        self.here: Context = await self._workers()
        await self.look(0)  # what was there before the first look is not followed

    async def raised(self, lamps: Iterable[str], at: float, rule: str = "unpowered", late: bool = False) -> None:
        await self.world.move(*(_moved("raised", lamp, at, rule, late) for lamp in lamps), now=NOW + minutes(at))

    async def cleared(self, lamps: Iterable[str], at: float, rule: str = "unpowered", late: bool = False) -> None:
        await self.world.move(*(_moved("cleared", lamp, at, rule, late) for lamp in lamps), now=NOW + minutes(at))

    async def look(self, at: float, here: Context | None = None) -> None:
        here = here or self.here
        async with here.pool.connection() as conn:
            while await look(conn, NOW + minutes(at), here.settings.notify_min_severity):
                pass

    async def incidents(self) -> list[tuple[Any, ...]]:
        """Rule, group, kind, severity, whether it stands, whether late data alone says so."""
        return await self.world.rows(INCIDENTS)

    async def members(self) -> dict[str, int]:
        """How many devices each incident stands for."""
        return dict(await self.world.rows(UNDER))

    async def shown(self) -> int:
        return int(await self.world.one("SELECT count(*) FROM alert WHERE open AND NOT held AND NOT historical"))

    async def steps(self, subject: str) -> list[tuple[str, float, str | None]]:
        """What became of an incident, in minutes of the evening."""
        found = await self.world.rows(STEPS, subject)
        return [(what, (moment - NOW).total_seconds() / 60, why) for what, moment, why in found]

    async def change(self, rule: Rule, enabled: bool = True, **fields: Any) -> None:
        changed = rule.model_copy(update={"enabled": enabled} | fields)
        await rules.change(self.world.conn, Change(rule.variant, changed, "ani", "as agreed", NOW), None)


def _moved(what: str, lamp: str, at: float, rule: str, late: bool) -> Any:
    return transition(
        what, 0 if what == "raised" else None, None if what == "raised" else 0, key=Key(rule, lamp),
        kind="streetlight", metric="voltage_v", siaga=None, event_at=NOW + minutes(at), value=0.0, historical=late,
    )  # fmt: skip


@pytest.fixture
async def town(world: World, worker: Callable[..., Any]) -> Town:
    made = Town(world, worker)
    await made.build()
    return made


def stands(subject: str, up: bool = True, late: bool = False) -> tuple[Any, ...]:
    return ("outage", subject, "streetlight", 2, up, late)


async def test_a_panel_that_trips_is_one_alert_with_its_lamps_under_it(town: Town) -> None:
    await town.raised(LAMPS, 1)
    await town.look(1)
    await town.look(1)
    assert await town.incidents() == [stands(PANEL)]
    assert await town.members() == {PANEL: 10}
    assert await town.shown() == 1
    assert await town.world.one(TOLD, "raised") == 1
    assert await town.steps(LAMPS[0]) == [("raised", 1, None), ("suppressed", 1, "part of: Panel P-01")]


async def test_a_feeder_alone_and_who_comes_later_joins_it(town: Town) -> None:
    await town.raised(NORTHERN[:5], 1)
    await town.look(1)
    await town.raised(NORTHERN[5:], 50)
    await town.raised(SOUTHERN[:1], 50)
    await town.look(50)
    assert await town.incidents() == [stands(NORTH)]
    assert await town.members() == {NORTH: 6}
    assert await town.shown() == 2


async def test_a_feeder_becomes_part_of_the_panel_that_follows(town: Town) -> None:
    await town.raised(NORTHERN[:5], 1)
    await town.look(1)
    await town.raised([*NORTHERN[5:], *SOUTHERN], 5)
    await town.look(5)
    assert await town.incidents() == [stands(NORTH, up=False), stands(PANEL)]
    assert await town.members() == {PANEL: 10}
    assert await town.steps(NORTH) == [("raised", 1, None), ("cleared", 5, "part of a larger one")]


async def test_it_ends_with_its_last_lamp_and_nobody_walks_through_them(town: Town) -> None:
    await town.raised(LAMPS, 1)
    await town.look(1)
    await town.cleared(LAMPS[:9], 60)
    await town.look(60)
    assert await town.incidents() == [stands(PANEL)]
    await town.cleared(LAMPS[9:], 61)
    await town.look(62)
    assert await town.incidents() == [stands(PANEL, up=False)]
    assert await town.steps(PANEL) == [("raised", 1, None), ("cleared", 61, None)]
    assert await town.shown() == 1  # the incident itself, until somebody acknowledges it
    assert await town.world.rows("SELECT DISTINCT acked_by, open FROM alert WHERE rule = 'unpowered'") == [
        ("siaga", False)
    ]


async def test_who_stands_when_it_has_dwindled_is_alone_again(town: Town) -> None:
    await town.raised(LAMPS, 1)
    await town.look(1)
    await town.cleared(LAMPS[:8], 60)
    await town.look(60)
    await town.look(69)
    assert await town.shown() == 1
    await town.look(70)  # only the clock has moved
    assert await town.steps(PANEL) == [("raised", 1, None), ("cleared", 70, None)]
    assert await town.steps(LAMPS[9]) == [
        ("raised", 1, None), ("suppressed", 1, "part of: Panel P-01"), ("released", 70, "no longer part of it"),
    ]  # fmt: skip
    assert await town.shown() == 3


async def test_members_of_an_acknowledged_one_are_acknowledged_as_they_clear(town: Town) -> None:
    await town.raised(LAMPS, 1)
    await town.look(1)
    number = await town.world.one("SELECT id FROM alert WHERE device_id = %s", PANEL)
    await act(town.world.conn, {number: None}, Order("ack", "sari", NOW + minutes(2)))
    await town.look(2)
    assert await town.world.one("SELECT count(*) FROM alert WHERE acked") == 1
    await town.cleared(LAMPS[:2], 3)
    await town.look(3)
    assert await town.world.one("SELECT count(*) FROM alert WHERE acked AND acked_by = 'siaga'") == 2


async def test_two_workers_and_one_that_was_killed_make_one(town: Town, worker: Callable[..., Any]) -> None:
    other = await worker()
    await town.raised(LAMPS, 1)
    async with town.here.pool.connection() as conn, conn.transaction(force_rollback=True):
        await look(conn, NOW + minutes(1), 2)
    assert await town.incidents() == []
    await asyncio.gather(*(town.look(1, here) for here in (town.here, other) for _ in range(3)))
    assert await town.incidents() == [stands(PANEL)]
    assert [what for what, *_ in await town.steps(LAMPS[0])] == ["raised", "suppressed"]


async def test_lamps_that_fail_by_themselves_stay_alone(town: Town) -> None:
    await town.raised(LAMPS, 1, "lamp_out")
    await town.raised(LAMPS[:4], 1)
    await town.look(1)
    assert await town.incidents() == []
    assert await town.shown() == 14


class TestRules:
    async def test_a_rule_that_is_switched_off_lets_all_out(self, town: Town) -> None:
        await town.raised(LAMPS, 1)
        await town.look(1)
        await town.change(OUTAGE, enabled=False)
        await town.look(2)
        assert await town.steps(PANEL) == [("raised", 1, None), ("cleared", 2, "rule changed (version 1)")]
        assert await town.members() == {}
        assert await town.shown() == 11

    async def test_under_another_one_it_is_judged_anew(self, town: Town) -> None:
        await town.raised(LAMPS[:5], 1)
        await town.look(1)
        assert await town.members() == {NORTH: 5}
        await town.change(OUTAGE, share=0.5)
        await town.look(2)
        assert await town.members() == {PANEL: 5}
        assert await town.incidents() == [stands(NORTH, up=False), stands(PANEL)]

    async def test_what_stands_when_grouping_is_new_is_taken_together(
        self, world: World, worker: Callable[..., Any]
    ) -> None:
        town = Town(world, worker)
        await town.build()
        await town.raised(LAMPS, 1)
        await world.conn.execute("DELETE FROM grouping")
        await world.conn.commit()
        await town.look(2)
        assert await town.members() == {PANEL: 10}


class TestGateways:
    async def test_a_gateway_is_said_to_be_silent_once(self, world: World, worker: Callable[..., Any]) -> None:
        town = Town(world, worker)
        await town.build(gateway="GW-1")
        for number, lamp in enumerate(LAMPS):
            await town.raised([lamp], 5 * number, "stale")
        await town.look(50)
        assert await town.incidents() == [("gateway_silent", "$gateway/GW-1", "installation", 1, True, False)]
        assert await town.members() == {"$gateway/GW-1": 10}

    async def test_a_dark_panel_is_no_silent_gateway(self, world: World, worker: Callable[..., Any]) -> None:
        town = Town(world, worker)
        await town.build(gateway="GW-1")
        await town.raised(LAMPS, 1)
        await town.look(1)
        await town.raised(LAMPS, 190, "stale")
        await town.look(190)
        assert await town.incidents() == [stands(PANEL)]
        assert await town.world.one("SELECT count(*) FROM alert WHERE parent_id IS NOT NULL") == 20


class TestLateData:
    async def test_makes_an_incident_with_its_true_times_that_pages_nobody(self, town: Town) -> None:
        await town.raised(LAMPS, -600, late=True)
        await town.look(0)
        assert await town.incidents() == [stands(PANEL, late=True)]
        await town.cleared(LAMPS, -500, late=True)
        await town.look(0)
        await town.look(0)
        assert await town.incidents() == [stands(PANEL, up=False, late=True)]
        assert await town.steps(PANEL) == [("raised", -600, None), ("cleared", -500, "more late data")]
        assert await town.members() == {PANEL: 10}
        assert await town.world.one(TOLD, "raised") == 0

    async def test_device_by_device_it_comes_to_the_same(self, town: Town) -> None:
        for number, lamp in enumerate(LAMPS):
            begin = -600 - number / 10
            await town.raised([lamp], begin, late=True)
            await town.cleared([lamp], -500 - number, late=True)
            await town.look(0)
        assert await town.incidents() == [stands(NORTH, up=False, late=True), stands(PANEL, up=False, late=True)]
        assert await town.members() == {PANEL: 10}
        rows = await town.world.rows("SELECT raised_at, cleared_at FROM alert WHERE device_id = %s", PANEL)
        assert rows == [(NOW + minutes(-600 - 0.4), NOW + minutes(-500))]

    async def test_it_goes_live_with_its_members(self, town: Town) -> None:
        await town.raised(LAMPS, -10, late=True)
        await town.look(0)
        live = [_moved("went_live", lamp, 1, "unpowered", late=False)._replace(to_severity=0) for lamp in LAMPS]
        await town.world.move(*live[:3])
        await town.look(1)
        assert (await town.incidents(), await town.shown()) == ([stands(PANEL, late=True)], 3)
        await town.world.move(*live[3:9])
        await town.look(2)
        assert (await town.incidents(), await town.shown()) == ([stands(PANEL)], 1)
        assert await town.members() == {PANEL: 10}
        assert await town.world.one(TOLD, "went_live") == 1
        await town.look(3)
        assert await town.members() == {PANEL: 10}

    async def test_moves_no_live_one(self, town: Town) -> None:
        await town.raised(LAMPS[:6], 1)
        await town.look(1)
        await town.raised(LAMPS[6:], -5, late=True)
        await town.look(2)
        assert await town.members() == {PANEL: 6}


async def test_what_happened_while_nobody_looked_is_told_with_its_true_times(town: Town) -> None:
    await town.raised(LAMPS, 1)
    await town.cleared(LAMPS, 30)
    await town.look(300)
    assert await town.incidents() == [stands(PANEL, up=False)]
    assert await town.steps(PANEL) == [("raised", 1, None), ("cleared", 30, None)]
    assert await town.shown() == 1


async def test_twice_in_one_look(town: Town) -> None:
    await town.raised(LAMPS, 1)
    await town.look(1)
    await town.cleared(LAMPS, 30)
    await town.raised(LAMPS, 60)
    await town.look(61)
    assert await town.steps(PANEL) == [("raised", 1, None), ("cleared", 30, None), ("raised", 60, None)]
    assert await town.members() == {PANEL: 10}
    await town.cleared(LAMPS, 90)
    await town.look(90)
    assert await town.incidents() == [stands(PANEL, up=False)]
    assert await town.shown() == 1


async def test_work_on_a_panel_is_no_incident_until_it_is_over(town: Town) -> None:
    begin, end = (NOW + minutes(number) for number in (0, 20))
    window = Window("maintenance", "panel", "P-01", begin, end, "new fuses", "ani")
    await windows.create(town.world.conn, window, NOW)
    await town.world.conn.commit()
    await town.raised(LAMPS, 1)
    await town.look(1)
    assert (await town.incidents(), await town.shown()) == ([], 0)
    await unshelve(town.here)  # by the clock of the machine the window is over
    await town.look(30)
    assert await town.incidents() == [stands(PANEL)]


async def test_work_that_begins_afterwards_hides_the_incident_too(town: Town) -> None:
    await town.raised(LAMPS, 1)
    await town.look(1)
    window = Window("out_of_service", "panel", "P-01", NOW, None, "new fuses", "ani")
    await windows.create(town.world.conn, window, NOW)
    await town.world.conn.commit()
    await unshelve(town.here)
    await town.look(2)
    assert (await town.shown(), await town.members()) == (0, {PANEL: 10})


async def test_who_is_silent_because_nothing_arrives_is_under_that(town: Town) -> None:
    async def stream(up: bool, at: float) -> None:
        moment: datetime = NOW + minutes(at)
        await town.world.move(installation.moved(installation.STREAM_SILENT, up, moment, 300))

    await town.raised(LAMPS[:1], -10, "stale")
    await town.raised(LAMPS[1:4], -4, "stale")
    await stream(True, 0)
    await town.look(0)
    assert await town.members() == {"$siaga": 3}
    await stream(False, 9)
    await town.look(9)
    assert await town.members() == {}
    assert await town.shown() == 5
