"""What who is limited to regions sees of the database, on every flavour; and that migrating and moving keep it so."""

from __future__ import annotations

import psycopg
import pytest

from devices.device import Device
from devices.kinds import KINDS
from storage import scope
from storage.fleet import import_devices
from storage.migrate import migrate
from tests.storage.world import NOW, World, minutes, packet

pytestmark = pytest.mark.same_tables

# Servers say it in two ways (api/auth.py knows both).
REFUSED = (psycopg.errors.WithCheckOptionViolation, psycopg.errors.ObjectNotInPrerequisiteState)
HERE, THERE = "12.09", "12.71"


@pytest.fixture
async def two(database_url: str) -> None:
    """A lamp in each of two regions, with readings that have come through ingest."""
    lamps = [
        Device("near", "streetlight", region=HERE, lat=2.98, lon=99.6),
        Device("far", "streetlight", region=THERE, lat=2.98, lon=99.6),
    ]
    world = await World.make(database_url, *lamps)
    for number in range(3):
        ts = NOW - minutes(number)
        await world.send([packet(lamp.id, {"ts": ts, "power_w": 80.0}, region=lamp.region or "") for lamp in lamps])
    await world.ground.close()


def seen(url: str, query: str, regions: str = HERE) -> set[str]:
    with psycopg.connect(url, autocommit=True, options=scope.OPTIONS) as conn:
        conn.execute(scope.ENTER, (regions,))
        return {name for (name,) in conn.execute(query.encode())}


DEVICES = (
    "SELECT id FROM device",
    "SELECT device_id FROM latest",
    "SELECT device_id FROM ledger",
    "SELECT device_id FROM reading_streetlight",
)


async def test_one_region_sees_its_own_and_two_see_both(database_url: str, two: None) -> None:
    for query in DEVICES:
        assert seen(database_url, query) == {"near"}, query
        assert seen(database_url, query, f"{HERE},{THERE}") == {"near", "far"}, query
        assert seen(database_url, query, "") == set(), query


async def test_migrating_again_makes_the_views_anew(database_url: str, two: None) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        scope.forget(conn)
    with pytest.raises(psycopg.errors.UndefinedTable):
        seen(database_url, DEVICES[0])
    migrate(database_url, lambda line: None)
    assert seen(database_url, DEVICES[-1]) == {"near"}


async def test_every_table_of_a_kind_has_its_view(database_url: str) -> None:
    views = "SELECT viewname::text FROM pg_views WHERE schemaname = 'scoped'"
    with psycopg.connect(database_url) as conn:
        found = {name for (name,) in conn.execute(views)}
    for kind in KINDS.values():
        assert {*scope.tables_of(kind), f"group_{kind.name}_1d"} <= found


async def test_the_key_of_readings_is_still_walked(database_url: str, two: None) -> None:
    """A view that made the planner read whole tables would be no way to draw a curve."""
    query = "EXPLAIN SELECT power_w FROM reading_streetlight WHERE device_id = 'near' AND ts >= now() - interval '1 d'"
    plan = "\n".join(_plan(database_url, query))
    assert "Seq Scan" not in plan


def _plan(url: str, query: str) -> list[str]:
    with psycopg.connect(url, autocommit=True, options=scope.OPTIONS) as conn:
        conn.execute(scope.ENTER, (HERE,))
        conn.execute("SET enable_seqscan = off")
        return [line for (line,) in conn.execute(query.encode())]


async def test_nobody_writes_what_they_would_not_see(database_url: str, two: None) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True, options=scope.OPTIONS) as conn:
        await conn.execute(scope.ENTER, (HERE,))
        await import_devices(conn, [Device("new", "streetlight", region=HERE)])
        for wrong in (Device("new", "streetlight", region=THERE), Device("far", "streetlight", region=HERE)):
            with pytest.raises(REFUSED):
                await import_devices(conn, [wrong])
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            await conn.execute("INSERT INTO closed VALUES ('streetlight', 'raw', now())")
    assert seen(database_url, DEVICES[0], THERE) == {"far"}
