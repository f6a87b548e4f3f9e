"""With the community licence old readings and rollups are compressed, and everything goes on as before on what is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from devices.kinds import KINDS
from storage import flavour
from storage.kind_tables import STEPS, table_of
from tests.storage.rolled import assert_rolled, drain
from tests.storage.world import COUNTER, GAUGE, LAMP, World, minutes, packet

pytestmark = pytest.mark.parametrize("server_name", ["community"], indirect=True)
# The policies go by the server's clock.
OLD = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=400)
POLICIES = "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression' ORDER BY 1"
COMPRESSED = "SELECT DISTINCT hypertable_name FROM timescaledb_information.chunks WHERE is_compressed"


async def compress(world: World) -> None:
    """As the scheduler would, which the WASM has not."""
    for (job,) in await world.rows(POLICIES):
        await world.conn.execute(f"CALL run_job({job})".encode())


async def test_every_table_has_a_policy(world: World) -> None:
    tables = {table_of(kind, level) for kind in KINDS.values() for level in STEPS}
    found = await flavour.policies(world.conn, await flavour.current_async(world.conn))
    assert {policy.table for policy in found if policy.table} == tables


async def test_late_data_change_what_is_compressed(world: World) -> None:
    batch = [
        packet(LAMP.id, *({"ts": OLD + minutes(7 * i), "power_w": 80, "energy_wh": i} for i in range(100)), at=OLD),
        packet(GAUGE.id, *({"ts": OLD + minutes(9 * i), "level_m": 1.5} for i in range(100)), at=OLD),
        packet(COUNTER.id, *({"ts": OLD + minutes(9 * i), "count": i, "speed_kmh": 40} for i in range(50)), at=OLD),
    ]
    for each in batch:
        assert (await world.send([each._replace(received_at=OLD + timedelta(days=1))])).counts["quarantined"] == 0
    await drain(world.conn)
    before = await world.everything("reading_streetlight", "rollup_streetlight_5m", "rollup_streetlight_1d")
    await compress(world)
    compressed = {name for (name,) in await world.rows(COMPRESSED)}
    assert {"reading_streetlight", "rollup_streetlight_5m", "rollup_water_level_1h"} <= compressed
    assert await world.everything(*before) == before
    late = [
        packet(LAMP.id, {"ts": OLD + minutes(7), "power_w": 80, "energy_wh": 1}),
        packet(LAMP.id, {"ts": OLD + minutes(14), "power_w": 81}),
        packet(LAMP.id, {"ts": OLD + minutes(15), "power_w": 82, "energy_wh": 2.5}),
    ]
    written = await world.send(late)
    assert written.counts == {"stored": 1, "duplicate": 1, "conflict": 1, "quarantined": 0}
    await drain(world.conn)
    await assert_rolled(world.conn)
    await compress(world)
    await assert_rolled(world.conn)
    assert await world.one("SELECT count(*) FROM reading_streetlight") == 101


async def test_compressed_parts_are_measured_and_dropped_whole(world: World) -> None:
    await world.send([packet(LAMP.id, {"ts": OLD, "power_w": 80}, at=OLD)])
    await compress(world)
    licence = await flavour.current_async(world.conn)
    (part,) = await flavour.parts(world.conn, licence, "reading_streetlight")
    assert part.since <= OLD < part.until
    assert await flavour.size_of(world.conn, licence, "reading_streetlight") > 8192
    await flavour.drop_part(world.conn, licence, "reading_streetlight", part)
    assert await flavour.parts(world.conn, licence, "reading_streetlight") == []
    assert await world.one("SELECT count(*) FROM reading_streetlight") == 0
