"""Devices as the API shows them: a JSON text each, with the worst open alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import sql

from storage import group_sql
from storage.place import Place, place_sql
from storage.presence import PRESENCE
from storage.windows import COVERS, NOW_STANDS

WORST = """
SELECT DISTINCT ON (device_id) device_id, json_build_object('id', id, 'severity', severity, 'acked', acked) AS alert
FROM alert WHERE open AND NOT historical AND NOT held ORDER BY device_id, severity DESC, acked, raised_at
"""
# Work on it is told of a device in service; it stands in a window.
STATUS = f"""
CASE WHEN d.status = 'in_service' AND EXISTS (
    SELECT FROM service_window AS w WHERE w.what = 'maintenance' AND {NOW_STANDS} AND {COVERS.format(device_id="d.id")}
) THEN 'maintenance' ELSE d.status END
"""
ITEM = f"""
json_build_object('id', d.id, 'kind', d.kind, 'name', d.name, 'region', d.region, 'district', d.district,
                  'lat', d.lat, 'lon', d.lon, 'attributes', d.attributes, 'status', {STATUS},
                  'presence', CASE WHEN p.device_id IS NOT NULL THEN {PRESENCE} END, 'alert', w.alert)::text
"""
FROM = "FROM device AS d LEFT JOIN w ON w.device_id = d.id LEFT JOIN presence AS p ON p.device_id = d.id"
LIST = f"""
WITH w AS ({WORST})
SELECT d.id, {ITEM} {FROM}
WHERE (%(kind)s::text IS NULL OR d.kind = %(kind)s) AND {place_sql("d")}
  AND (%(min_severity)s::int IS NULL OR (w.alert ->> 'severity')::int >= %(min_severity)s)
  AND d.id > %(after)s
ORDER BY d.id LIMIT %(limit)s
"""
ONE = f"WITH w AS ({WORST} ) SELECT {ITEM} {FROM} WHERE d.id = %s"
MEMBERS = f"SELECT d.id, d.attributes FROM device AS d WHERE d.kind = %(kind)s AND {place_sql('d')}"
POINTS = "SELECT id, lon, lat FROM device WHERE id = ANY (%s) AND lon IS NOT NULL"


async def list_devices(
    conn: psycopg.AsyncConnection[Any],
    kind: str | None,
    place: Place,
    after: str,
    limit: int,
    min_severity: int | None = None,
) -> list[tuple[str, str]]:
    """(id, JSON text) in order of id. min_severity: of the worst open alert."""
    values = place.values() | {"kind": kind, "after": after, "limit": limit, "min_severity": min_severity}
    return await (await conn.execute(LIST, values)).fetchall()


async def one_device(conn: psycopg.AsyncConnection[Any], device_id: str) -> str | None:
    """The device as JSON text."""
    row = await (await conn.execute(ONE, (device_id,))).fetchone()
    return row[0] if row else None


async def members(conn: psycopg.AsyncConnection[Any], kind: str, place: Place) -> dict[str, Mapping[str, Any]]:
    """The attributes of devices of a kind by id."""
    return dict(await (await conn.execute(MEMBERS, place.values() | {"kind": kind})).fetchall())


async def points(conn: psycopg.AsyncConnection[Any], ids: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Where devices are, (lon, lat); without those of which it is not known."""
    return {row[0]: (row[1], row[2]) async for row in await conn.execute(POINTS, (list(ids),))}


async def ids_of_kind(
    conn: psycopg.AsyncConnection[Any],
    kind: str,
    ids: list[str] | None = None,
    where: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """Devices of a kind that are of these groups (grouping → name), or those of `ids` that are."""
    query = sql.SQL("SELECT d.id FROM device AS d WHERE {} ORDER BY d.id").format(group_sql.is_in(where, ids))
    return [row[0] async for row in await conn.execute(query, {"kind": kind, "devices": ids})]
