"""Where devices are and what they belong to: the conditions that lists share, as one SQL fragment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

# Twice the mean radius of the earth in metres.
DIAMETER_M = 12_742_017.6


class Box(NamedTuple):
    """WGS 84 degrees, edges included."""

    west: float
    south: float
    east: float
    north: float


class Near(NamedTuple):
    """Within so many metres of a point (WGS 84 degrees)."""

    lat: float
    lon: float
    radius_m: float


class Place(NamedTuple):
    """Conditions on devices; None and empty is any. groups: attributes and their values (panel, river, …)."""

    district: str | None = None
    groups: Mapping[str, str] = {}
    bbox: Box | None = None
    near: Near | None = None

    def values(self) -> dict[str, Any]:
        """The parameters of `place_sql`."""
        box, near = self.bbox or (None,) * 4, self.near or (None,) * 3
        return {
            "district": self.district,
            "groups": Jsonb(dict(self.groups)) if self.groups else None,
            **dict(zip(("west", "south", "east", "north"), box, strict=True)),
            **dict(zip(("near_lat", "near_lon", "near_m"), near, strict=True)),
        }


def place_sql(device: str) -> str:
    """The conditions on this alias of the table `device`. A device without a place is in no box and near nothing."""
    across = (
        f"sin(radians({device}.lat - %(near_lat)s::float8) / 2) ^ 2 + cos(radians({device}.lat))"
        f" * cos(radians(%(near_lat)s::float8)) * sin(radians({device}.lon - %(near_lon)s::float8) / 2) ^ 2"
    )
    return f"""
(%(district)s::text IS NULL OR {device}.district = %(district)s)
AND (%(groups)s::jsonb IS NULL OR {device}.attributes @> %(groups)s)
AND (%(west)s::float8 IS NULL OR {device}.lon BETWEEN %(west)s::float8 AND %(east)s::float8
     AND {device}.lat BETWEEN %(south)s::float8 AND %(north)s::float8)
AND (%(near_m)s::float8 IS NULL OR {DIAMETER_M} * asin(sqrt(least(1, {across}))) <= %(near_m)s::float8)
"""
