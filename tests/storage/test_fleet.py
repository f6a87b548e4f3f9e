"""The registry: an import is idempotent and whole, a device keeps its kind, and changes are found by who asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from devices.device import Device
from storage.connect import connect_async
from storage.fleet import Imported, KindChangeError, changed_since, get_device, import_devices, list_devices
from tests.storage.waiting import until_waiting
from tests.storage.world import GAUGE

pytestmark = pytest.mark.same_tables

Conn = psycopg.AsyncConnection[Any]
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
FULL = Device(
    "sl-1", "streetlight", "Jalan Cokroaminoto; \"No\" 1 'é", "12.09", "12.09.19", 2.98, 99.6,
    {"feeder": "F1", "nominal_w": 90.0},
)  # fmt: skip
BARE = Device("sl-2", "streetlight")


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Conn]:
    async with await connect_async(database_url, "test") as conn:
        yield conn


async def test_a_device_comes_back_as_it_went_in(conn: Conn) -> None:
    assert await import_devices(conn, [FULL, BARE, GAUGE]) == Imported(3, 0, 0)
    assert [await get_device(conn, device.id) for device in (FULL, BARE, GAUGE)] == [FULL, BARE, GAUGE]
    assert await get_device(conn, "sl-3") is None


async def test_a_second_import_changes_nothing(conn: Conn) -> None:
    await import_devices(conn, [FULL, BARE])
    before = await (await conn.execute("SELECT id, xmin::text, changed_at FROM device ORDER BY id")).fetchall()
    assert await import_devices(conn, [BARE, FULL]) == Imported(0, 0, 2)
    assert await (await conn.execute("SELECT id, xmin::text, changed_at FROM device ORDER BY id")).fetchall() == before


@pytest.mark.parametrize(
    "changes",
    [{"name": None}, {"region": "12.10"}, {"district": None}, {"lat": 2.99}, {"lat": None, "lon": None},
     {"attributes": {}}, {"attributes": {"feeder": "F1", "nominal_w": 91.0}}],
    ids=str,
)  # fmt: skip
async def test_every_field_can_change(conn: Conn, changes: dict[str, Any]) -> None:
    await import_devices(conn, [FULL, BARE])
    changed = replace(FULL, **changes)
    assert await import_devices(conn, [changed, BARE]) == Imported(0, 1, 1)
    assert await get_device(conn, FULL.id) == changed


async def test_nothing_to_import(conn: Conn) -> None:
    assert await import_devices(conn, []) == Imported(0, 0, 0)


async def test_a_device_keeps_its_kind(conn: Conn) -> None:
    await import_devices(conn, [FULL])
    with pytest.raises(KindChangeError, match="id: 'sl-1' is registered as streetlight, not traffic"):
        await import_devices(conn, [Device("new", "traffic"), replace(FULL, kind="traffic", attributes={})])
    assert await list_devices(conn) == [FULL], "all of it or nothing"


@pytest.mark.two_sessions
async def test_two_imports_at_once_do_not_change_a_kind_either(database_url: str, conn: Conn) -> None:
    """Both find the id unregistered; the second waits and is refused."""
    async with await connect_async(database_url, "other") as other, await connect_async(database_url, "look") as look:
        async with conn.transaction():
            await import_devices(conn, [Device("new", "traffic")])
            second = asyncio.create_task(import_devices(other, [Device("new", "streetlight")]))
            await until_waiting(look, other.info.backend_pid)
        with pytest.raises(KindChangeError):
            await second


async def test_changes_are_found(conn: Conn) -> None:
    await import_devices(conn, [FULL, BARE])
    found, at = await changed_since(conn, BEGINNING)
    assert sorted(device.id for device in found) == ["sl-1", "sl-2"]
    await import_devices(conn, [FULL, replace(BARE, name="Lamp 2"), GAUGE])
    found, later = await changed_since(conn, at)
    assert {"sl-2", "gauge"} <= {device.id for device in found}
    assert later > at
    _, unchanged = await changed_since(conn, later)
    assert unchanged == later
    far = datetime(2999, 1, 1, tzinfo=UTC)
    assert await changed_since(conn, far) == ([], far)


@pytest.mark.two_sessions
async def test_an_import_that_commits_late_is_found(database_url: str, conn: Conn) -> None:
    """It began before the one that a reader has already seen, and committed after it."""
    async with await connect_async(database_url, "other") as other, await connect_async(database_url, "look") as look:
        await conn.execute("BEGIN")
        await conn.execute("SELECT now()")  # its transaction has its time
        await import_devices(other, [BARE])
        _, at = await changed_since(look, BEGINNING)
        await import_devices(conn, [FULL])
        await conn.execute("COMMIT")
        found, _ = await changed_since(look, at)
    assert FULL in found


async def test_lists_are_filtered(conn: Conn) -> None:
    await import_devices(conn, [GAUGE, BARE, FULL])
    assert await list_devices(conn) == [GAUGE, FULL, BARE]
    assert await list_devices(conn, kind="streetlight") == [FULL, BARE]
    assert await list_devices(conn, district="12.09.19") == [FULL]
    assert await list_devices(conn, kind="water_level", district="12.09.19") == []


async def test_a_large_fleet_in_one_go(conn: Conn) -> None:
    fleet = [Device(f"d-{i}", "traffic", lat=i / 1000, lon=99.0, attributes={"lane": 1 + i % 4}) for i in range(5000)]
    assert await import_devices(conn, fleet) == Imported(5000, 0, 0)
    fleet[17] = replace(fleet[17], lat=45.0)
    assert await import_devices(conn, fleet) == Imported(0, 1, 4999)
