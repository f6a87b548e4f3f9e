"""A cabinet without mains is the incident of its panel by itself, and its lamps belong to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alerts.words import title
from devices.device import Device
from tests.storage.world import NOW, REGION, World, minutes, packet
from worker.group import look

CABINET = Device("panel-01", "cabinet", region=REGION, lat=2.98, lon=99.6, attributes={"panel": "P-01"})
LAMPS = [
    Device(f"lamp-{n}", "streetlight", region=REGION, lat=2.98, lon=99.6, attributes={"panel": "P-01"})
    for n in range(3)
]  # fmt: skip
INCIDENT = "SELECT id, rule, device_id, severity, active, cleared_at FROM alert WHERE starts_with(device_id, '$')"
UNDER = "SELECT device_id FROM alert WHERE parent_id = %s AND active ORDER BY device_id"
SHOWN = "SELECT count(*) FROM alert WHERE open AND active AND NOT held"
TOLD = """
SELECT count(DISTINCT m.device_id) FROM alert AS a JOIN alert AS m ON m.parent_id = a.id AND a.kind = m.kind
"""


async def test_its_lamps_join_and_the_incident_ends_with_the_last(
    database_url: str, worker: Callable[..., Any]
) -> None:
    world, here = await World.make(database_url, CABINET, *LAMPS), await worker()

    async def tell(minute: float, **values: dict[str, float]) -> None:
        at = NOW + minutes(minute)
        sent = [packet(name.replace("_", "-"), {"ts": at, **told}, at=at) for name, told in values.items()]
        await world.send(sent, at)
        async with here.pool.connection() as conn:
            while await look(conn, at, here.settings.notice_severity):
                pass

    await tell(0, panel_01={"mains_ok": 1}, lamp_0={"voltage_v": 220}, lamp_1={"voltage_v": 220})
    await tell(5, panel_01={"mains_ok": 0})
    ((number, *incident),) = await world.rows(INCIDENT)
    assert incident == ["outage", "$panel/P-01", 2, True, None]
    assert await world.rows(UNDER, number) == [("panel-01",)]
    await tell(6, lamp_0={"voltage_v": 0}, lamp_1={"voltage_v": 0})
    assert await world.rows(UNDER, number) == [("lamp-0",), ("lamp-1",), ("panel-01",)]
    assert await world.one(SHOWN) == 1
    assert title("outage", "$panel/P-01", None, members=await world.one(TOLD)).id == "Panel P-01 padam: 2 lampu"
    await tell(60, panel_01={"mains_ok": 1}, lamp_0={"voltage_v": 220}, lamp_1={"voltage_v": 220})
    assert (await world.rows(INCIDENT))[0][4:] == (False, NOW + minutes(60))
    assert await world.one(SHOWN) == 0
    await world.ground.close()
