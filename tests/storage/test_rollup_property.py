"""Whatever arrives in whatever order: once the marks are drained, every rollup is the aggregate of its raw rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.device import Device
from devices.kinds import KINDS
from ingest.intake import take_in
from storage.kind_tables import BUCKETS, reading_table, rollup_table
from tests.storage.rolled import assert_rolled, drain
from tests.storage.world import NOTHING, REGION, World, packet

# Half past eleven in the evening in Jakarta: an hour from here touches two days.
EVENING = datetime(2026, 11, 23, 16, 30, tzinfo=UTC)
FLEET = [Device(f"{kind[:4]}-{n}", kind, region=REGION) for kind in KINDS for n in (1, 2)]
ONE_AFTER = timedelta(seconds=1)
LATE_AFTER = timedelta(days=9)

small = st.none() | st.integers(0, 12)
metrics = {
    # 2,000 W and 40 m are out of range: such a reading is kept and counts in nothing.
    "streetlight": st.fixed_dictionaries(
        {"power_w": st.none() | st.sampled_from([0.5, 80, 95.25, 2000]), "energy_wh": small, "operating_h": small}
    ),
    "water_level": st.fixed_dictionaries(
        {"level_m": st.none() | st.sampled_from([-0.5, 1.2, 2.6, 40]), "rain_mm": st.none() | st.just(0.2)}
    ),
    "traffic": st.fixed_dictionaries({"count": small, "speed_kmh": st.none() | st.integers(5, 80)}),
    "cabinet": st.fixed_dictionaries(
        {
            "power_w": st.none() | st.sampled_from([0, 810.5, 1e6]),
            "energy_wh": small,
            "door_open": st.sampled_from([0, 1]),
        }
    ),
}


class Arrival(NamedTuple):
    device: Device
    ts: datetime
    late: bool
    values: dict[str, Any]


def arrivals(device: Device) -> st.SearchStrategy[Arrival]:
    # 97 s: close enough to share buckets, and two rows a bucket at times. Days apart: values from far away.
    ts = st.builds(
        lambda step, days: EVENING + step * timedelta(seconds=97) + timedelta(days=days),
        st.integers(0, 40), st.sampled_from([0, 0, 0, 1, 8]),
    )  # fmt: skip
    return st.builds(Arrival, st.just(device), ts, st.booleans(), metrics[device.kind])


History = list[tuple[list[Arrival], bool]]
# Commits of several readings each, and after each commit whether the marks are drained.
histories = st.lists(
    st.tuples(st.lists(st.sampled_from(FLEET).flatmap(arrivals), min_size=1, max_size=12), st.booleans()),
    min_size=1, max_size=5,
)  # fmt: skip


@pytest.mark.parametrize("server_name", ["plain"], indirect=True)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
async def test_rollups_equal_their_raw_rows(database_url: str, history: History) -> None:
    await play(database_url, history)


# The statements are the same; what differs is where rows lie.
@pytest.mark.parametrize("server_name", ["timescale 2.19", "timescale 2.31", "community"], indirect=True)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
async def test_they_do_in_hypertables_too(database_url: str, history: History) -> None:
    await play(database_url, history)


async def play(database_url: str, history: History) -> None:
    world = await World.make(database_url, *FLEET)
    try:
        await _empty(world)
        for commit, drained in history:
            packets = [
                packet(a.device.id, {"ts": a.ts, **a.values}, at=a.ts + (LATE_AFTER if a.late else ONE_AFTER))
                for a in commit
            ]
            batch = take_in(packets, world.ground.fleet, world.limits)
            await world.ground.writer.write(batch, NOTHING, EVENING)
            if drained:
                await drain(world.conn, limit=3)
        await drain(world.conn, limit=3)
        assert await world.one("SELECT count(*) FROM rollup_mark") == 0
        await assert_rolled(world.conn)
    finally:
        await world.ground.close()


async def _empty(world: World) -> None:
    tables = ["latest", "ledger", "quarantine", "rollup_mark"]
    for kind in KINDS.values():
        tables += [reading_table(kind), *(rollup_table(kind, size) for size in BUCKETS)]
    await world.conn.execute(f"TRUNCATE {', '.join(tables)} CASCADE".encode())
