"""Scenarios as they would be lived, seen by an operator: what is told, how often, and what is shown in its place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from simulator.plan import Plan, plan
from simulator.scenario import read
from tests.live import live
from tests.storage.world import World
from tests.whole import only_whole
from tests.worker.conftest import Service

pytestmark = pytest.mark.slow

# Not one of the seeds that anything was tuned with.
SEED = 4711
MESSAGES = """
SELECT d.what, a.rule, a.device_id FROM delivery AS d JOIN delivery_alert AS da ON da.delivery_id = d.id
JOIN alert AS a ON a.id = da.alert_id ORDER BY d.id, a.id
"""
HISTORY = """
SELECT t.what, t.siaga, t.event_at FROM transition AS t JOIN alert AS a ON a.id = t.alert_id
WHERE a.rule = 'siaga' AND a.device_id = %s AND t.what IN ('raised', 'worsened', 'eased', 'cleared') ORDER BY t.id
"""
MEMBERS = "SELECT count(DISTINCT alert_id) FROM transition WHERE what = 'suppressed' AND parent_id = %s"


@dataclass(frozen=True)
class Lived:
    """A scenario that has been lived. Devices and panels are named by what their run's tag leaves of their names."""

    world: World
    tag: str

    def own(self, name: str) -> str:
        return f"{self.tag}-{name}"

    def plain(self, name: str) -> str:
        return name.replace(f"{self.tag}-", "")

    async def messages(self) -> list[tuple[str, str, str]]:
        """What was told of which rule and device, in order."""
        return [(what, rule, self.plain(device)) for what, rule, device in await self.world.rows(MESSAGES)]

    async def first(self, rule: str, device: str) -> datetime | None:
        """When it was first raised."""
        query = "SELECT min(raised_at) FROM alert WHERE device_id = %s AND rule = %s"
        found: datetime | None = await self.world.one(query, self.own(device), rule)
        return found


@pytest.fixture
async def lived(database_url: str, worker: Callable[..., Any], service: Service) -> AsyncIterator[Callable[..., Any]]:
    """`await lived(name, hours=…)` plays a scenario live."""
    made: list[World] = []

    async def play(name: str, hours: float | None = None, devices: int | None = None, step_s: float = 60) -> Lived:
        wanted: Plan = plan(name, read(name), SEED, hours=hours, devices=devices)
        made.append(await World.make(database_url, *wanted.fleet))
        await live(made[0], await worker(notify_urls=service.url()), wanted, step_s)
        return Lived(made[0], wanted.tag)

    yield play
    for world in made:
        await world.ground.close()


async def test_panel_padam_is_one_notice_and_one_incident(lived: Callable[..., Any], service: Service) -> None:
    it: Lived = await lived("panel-padam", hours=5.5)
    incidents = "SELECT id, rule, device_id, active, historical FROM alert WHERE starts_with(device_id, '$')"
    ((number, rule, group, *stands),) = await it.world.rows(incidents)
    assert (rule, it.plain(group), stands) == ("outage", "$panel/P-01", [False, False])
    assert await it.world.one(MEMBERS, number) == 214
    assert await it.world.one("SELECT count(*) FROM alert WHERE rule = 'unpowered'") == 214
    alone = "SELECT device_id FROM alert WHERE open AND rule = 'lamp_out' AND parent_id IS NULL ORDER BY 1"
    found = [it.plain(device) for (device,) in await it.world.rows(alone)]
    assert found == ["pju-0220", "pju-0251", "pju-0288"]
    assert await it.messages() == [("raised", "outage", it.plain(group)), ("over", "outage", it.plain(group))]
    assert len(service.taken) == 2


async def test_banjir_silau_is_one_alert_a_gauge_told_again_only_when_it_worsens(lived: Callable[..., Any]) -> None:
    it: Lived = await lived("banjir-silau", step_s=600)
    told = await it.messages()
    for gauge, worst in (("wl-buntu-pane", 1), ("wl-kisaran-barat", 2)):
        history = await it.world.rows(HISTORY, it.own(gauge))
        assert [siaga for _, siaga, _ in history] == [*range(3, worst, -1), *range(worst, 5)]  # 4→3→…→worst→…→4
        assert [at for *_, at in history] == sorted(at for *_, at in history)
        # Siaga 3 is medium and tells nobody by default: Siaga 2 is told, each worse one again, and the end.
        mine = [what for what, rule, device in told if (rule, device) == ("siaga", gauge)]
        assert mine == ["worse"] * (3 - worst) + ["over"], gauge
        assert await it.first("siaga_2_soon", gauge) < history[1][2]


@only_whole
async def test_banjir_data_pages_nobody(lived: Callable[..., Any], service: Service) -> None:
    it: Lived = await lived("banjir-data", devices=60)
    assert await it.world.one("SELECT count(*) FROM reading_water_level WHERE received_at > ts + interval '1 h'") > 0
    wrong = "SELECT count(*) FROM alert WHERE historical AND detected_at < raised_at + interval '15 min'"
    assert await it.world.one(wrong) == 0
    assert service.taken == []


@only_whole
async def test_a_stuck_gauge_is_a_fault_of_its_sensor_and_no_flood(lived: Callable[..., Any]) -> None:
    it: Lived = await lived("stuck-gauge", step_s=600)
    fault, flood = [await it.first(rule, "wl-kisaran-barat") for rule in ("sensor_fault", "siaga")]
    assert fault is not None
    assert flood is not None
    assert fault < flood
    frozen = "SELECT max(ts) FROM reading_water_level WHERE device_id = %s AND qc >= 3"
    assert flood > await it.world.one(frozen, it.own("wl-kisaran-barat"))
