"""Jakarta's flood of January 2020 through the product: seven river gauges, as docs/forecasts.md has them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import simulator
from simulator.replay import Row, fleet, rows
from simulator.replay_map import read_map
from storage import read_forecasts
from storage.fleet import import_devices
from storage.read_forecasts import AT_LEAST
from tests.storage.world import World, packet
from worker.forecast import forecast

MAP = Path(simulator.__path__[0]) / "maps" / "jakarta_tma.toml"
RIVERS = ("katulampa", "depok", "manggarai", "karet", "krukut-hulu", "pesanggrahan", "sunter-hulu")
SINCE, UNTIL = datetime(2019, 12, 20, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC)
AT_ONCE = 500


@pytest.mark.slow
async def test_the_month_through_the_product(world: World, worker: Callable[..., Any]) -> None:
    path = os.environ.get("SIAGA_TEST_JAKARTA_CSV")
    if not path:
        pytest.skip("SIAGA_TEST_JAKARTA_CSV names no copy of Jakarta's river telemetry of January 2020")
    shipped = read_map(MAP)
    await import_devices(world.conn, list(fleet(Path(path), shipped)))
    await world.restart()
    said: dict[str, list[dict[str, Any]]] = {}
    for row in rows(Path(path), shipped):
        assert isinstance(row, Row)
        if row.device_id.removeprefix("wl-") in RIVERS:
            said.setdefault(row.device_id, []).append({**row.fields, "ts": row.ts})
    for device_id, items in said.items():
        for first in range(0, len(items), AT_ONCE):
            await world.send([packet(device_id, *items[first : first + AT_ONCE], region="31")])
    here = await worker()
    while await forecast(here) is not None:
        pass
    scores = {stage: await read_forecasts.score(world.conn, stage, SINCE, UNTIL, None) for stage in AT_LEAST}
    print(scores)
    warning, advisory = scores["warning"], scores["advisory"]
    assert warning["right"] >= 0.54 * (warning["right"] + warning["false"])
    assert advisory["right"] >= 0.40 * (advisory["right"] + advisory["false"])
    assert 2 * warning["hits"] >= warning["crossings"]
    assert warning["lead_median_h"] >= 0.5
    assert warning["covered"] >= 0.7 * warning["timed"]
