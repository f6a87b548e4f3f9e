"""Filters by place that lists share: district, groups of devices, a box, a circle. Refusals name field and limit."""

from __future__ import annotations

from math import isfinite
from typing import Annotated

from fastapi import Depends, Query

from api.params import DistrictFilter
from api.problems import wrong_field
from storage.place import Box, Near, Place

# Half way round the earth.
RADIUS_MAX_M = 20_037_508
NAME = Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$", description="only devices with this attribute")
Name = Annotated[str | None, NAME]


def place(
    district: DistrictFilter = None,
    panel: Name = None,
    feeder: Name = None,
    river: Name = None,
    site: Name = None,
    gateway: Name = None,
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees: devices within")] = None,
    near: Annotated[str | None, Query(description="lat,lon,radius in m: devices within that of the point")] = None,
) -> Place:
    """What was asked for; devices must meet all of it."""
    told = {"panel": panel, "feeder": feeder, "river": river, "site": site, "gateway": gateway}
    groups = {name: value for name, value in told.items() if value is not None}
    return Place(district, groups, _box(bbox) if bbox else None, _near(near) if near else None)


Places = Annotated[Place, Depends(place)]


def _box(text: str) -> Box:
    box = Box(*_numbers("bbox", text, "west,south,east,north", 4))
    _check("bbox", "west and east", (box.west, box.east), 180)
    _check("bbox", "south and north", (box.south, box.north), 90)
    if box.west > box.east or box.south > box.north:
        raise wrong_field("bbox", f"{text!r}: west is not above east, nor south above north")
    return box


def _near(text: str) -> Near:
    near = Near(*_numbers("near", text, "lat,lon,radius_m", 3))
    _check("near", "lat", (near.lat,), 90)
    _check("near", "lon", (near.lon,), 180)
    if not 0 < near.radius_m <= RADIUS_MAX_M:
        raise wrong_field("near", f"the radius of {near.radius_m:g} m is not above 0 and at most {RADIUS_MAX_M}")
    return near


def _numbers(field: str, text: str, shape: str, count: int) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(isfinite, numbers)):
        raise wrong_field(field, f"{text!r} is not {shape}")
    return numbers


def _check(field: str, what: str, degrees: tuple[float, ...], most: int) -> None:
    if any(abs(each) > most for each in degrees):
        raise wrong_field(field, f"{what} must be within -{most}..{most} degrees")
