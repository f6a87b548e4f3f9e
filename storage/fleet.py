"""The registry of devices."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from devices.device import Device
from devices.kinds import KINDS
from storage import groups, wiring

COLUMNS = "id, kind, name, region, district, lat, lon, attributes, status"

# DO UPDATE only where something differs, so that a second import of the same file changes no row and no changed_at.
# xmax = 0 tells an inserted row from an updated one.
IMPORT = """
INSERT INTO device AS d (id, kind, name, region, district, lat, lon, attributes, changed_at)
SELECT *, clock_timestamp()
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::float8[], %s::jsonb[])
ON CONFLICT (id) DO UPDATE SET
    kind = excluded.kind, name = excluded.name, region = excluded.region, district = excluded.district,
    lat = excluded.lat, lon = excluded.lon, attributes = excluded.attributes, changed_at = clock_timestamp()
WHERE (d.kind, d.name, d.region, d.district, d.lat, d.lon, d.attributes) IS DISTINCT FROM
      (excluded.kind, excluded.name, excluded.region, excluded.district, excluded.lat, excluded.lon,
       excluded.attributes)
RETURNING d.xmax = 0
"""
# Imports go one after the other, so that changed_at rises in the order of commits: whoever reads on from the newest
# changed_at seen misses none.
LOCK = "SELECT pg_advisory_xact_lock(x'7369616761206476'::bigint)"
REGISTERED = "SELECT id, kind FROM device WHERE id = ANY (%s)"
# `>=` and not `>`: two imports may share a moment; reading a row twice does no harm.
CHANGED = f"SELECT changed_at, {COLUMNS} FROM device WHERE changed_at >= %s ORDER BY changed_at"
LIST = f"""
SELECT {COLUMNS} FROM device
WHERE (%(kind)s::text IS NULL OR kind = %(kind)s) AND (%(district)s::text IS NULL OR district = %(district)s)
ORDER BY id
"""
ONE = f"SELECT {COLUMNS} FROM device WHERE id = %s"


class Imported(NamedTuple):
    """corrected: those of which other places are forgotten now."""

    added: int
    updated: int
    unchanged: int
    corrected: int = 0


class KindChangeError(Exception):
    """A registered device would become another kind; its history is in the other kind's table."""


async def import_devices(conn: psycopg.AsyncConnection[Any], devices: list[Device], correct: bool = False) -> Imported:
    """Register or update devices, all in one transaction. A place or attribute that differs counts from now on; where
    the registry was wrong (correct), it has always been so. Raises KindChangeError where one would change its kind."""
    async with conn.transaction():
        await conn.execute(LOCK)
        wanted = {device.id: device.kind for device in devices}
        async for known, kind in await conn.execute(REGISTERED, (list(wanted),)):
            if wanted[known] != kind:
                raise KindChangeError(
                    f"id: {known!r} is registered as {kind}, not {wanted[known]}; register it under a new id"
                )
        columns = [
            [getattr(device, name) for device in devices]
            for name in ("id", "kind", "name", "region", "district", "lat", "lon")
        ]
        columns.append([json.dumps(dict(device.attributes)) for device in devices])
        rows = await (await conn.execute(IMPORT, columns)).fetchall()
        corrected = await wiring.correct(conn, list(wanted)) if correct else []
        for name in sorted({wanted[device] for device in corrected} & KINDS.keys()):
            await groups.mark_devices(conn, KINDS[name], [each for each in corrected if wanted[each] == name])
    added = sum(1 for (inserted,) in rows if inserted)
    return Imported(added, len(rows) - added, len(devices) - len(rows), len(corrected))


async def changed_since(conn: psycopg.AsyncConnection[Any], since: datetime) -> tuple[list[Device], datetime]:
    """Devices changed at or after `since`, and the moment to ask from next time."""
    rows = await (await conn.execute(CHANGED, (since,))).fetchall()
    return [_device(row[1:]) for row in rows], rows[-1][0] if rows else since


async def list_devices(
    conn: psycopg.AsyncConnection[Any], kind: str | None = None, district: str | None = None
) -> list[Device]:
    cursor = await conn.execute(LIST, {"kind": kind, "district": district})
    return [_device(row) for row in await cursor.fetchall()]


async def get_device(conn: psycopg.AsyncConnection[Any], device_id: str) -> Device | None:
    row = await (await conn.execute(ONE, (device_id,))).fetchone()
    return _device(row) if row else None


def _device(row: Iterable[Any]) -> Device:
    return Device(*row)
