"""Where it was: the devices of an incident file as GeoJSON and as a drawing. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from devices.device import Device

Geometry = Mapping[str, Any]
Point = tuple[float, float]
WIDTH, HEIGHT, MARGIN = 640.0, 480.0, 24.0
# A place without an extent is drawn as if it were so wide, in degrees: 0.01 is about 1.1 km.
LEAST_DEG = 0.01
LABELS_MOST = 12


class Place(NamedTuple):
    """A device, and why it is in the file: alert, member, or how it is a neighbour."""

    device: Device
    role: str


class Area(NamedTuple):
    """A district: its code and its polygons."""

    code: str
    geometry: Geometry


def geojson(places: Iterable[Place], areas: Iterable[Area]) -> str:
    """Points with what the registry knows of each device (no geometry where it knows no place), and districts."""
    features: list[dict[str, Any]] = [
        {"type": "Feature", "id": area.code, "properties": {"role": "district", "code": area.code},
         "geometry": area.geometry}
        for area in areas
    ]  # fmt: skip
    features += [
        {"type": "Feature", "id": place.device.id, "properties": _facts(place), "geometry": _at(place)}
        for place in places
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, indent=1)


def svg(places: Sequence[Place], areas: Sequence[Area], title: str) -> str:
    """North is up; an equirectangular picture is true enough for a regency."""
    placed = [(place, (place.device.lon, place.device.lat)) for place in places]
    points = [(place, (lon, lat)) for place, (lon, lat) in placed if lon is not None and lat is not None]
    rings = [ring for area in areas for ring in _rings(area.geometry)]
    frame = _Frame.around([point for _, point in points] or [point for ring in rings for point in ring])
    drawn = [_ring(frame, ring) for ring in rings]
    # What raised the alert lies on top.
    for place, point in sorted(points, key=lambda each: each[0].role == "alert"):
        drawn.append(_dot(frame, place, point, labelled=len(points) <= LABELS_MOST or place.role == "alert"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" width="{WIDTH:g}"'
        f' height="{HEIGHT:g}" font-family="sans-serif" font-size="12" role="img"><title>{escape(title)}</title>'
        f'<rect width="{WIDTH:g}" height="{HEIGHT:g}" fill="#fff" stroke="#888"/>{"".join(drawn)}{frame.scale()}</svg>'
    )


class _Frame(NamedTuple):
    """Which part of the world is drawn: its middle, and how many units a degree of latitude takes."""

    lon: float
    lat: float
    per_degree: float

    @classmethod
    def around(cls, points: Sequence[Point]) -> _Frame:
        lons, lats = [lon for lon, _ in points] or [0.0], [lat for _, lat in points] or [0.0]
        lon, lat = (min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2
        wide = max((max(lons) - min(lons)) * math.cos(math.radians(lat)), LEAST_DEG)
        high = max(max(lats) - min(lats), LEAST_DEG)
        return cls(lon, lat, min((WIDTH - 4 * MARGIN) / wide, (HEIGHT - 4 * MARGIN) / high))

    def at(self, point: Point) -> Point:
        x = WIDTH / 2 + (point[0] - self.lon) * math.cos(math.radians(self.lat)) * self.per_degree
        return round(x, 1), round(HEIGHT / 2 - (point[1] - self.lat) * self.per_degree, 1)

    def scale(self) -> str:
        """A line of 1, 2 or 5 of a power of ten metres, at most a third of the width."""
        per_m = self.per_degree / 111_320
        most_m = WIDTH / 3 / per_m
        power = 10 ** math.floor(math.log10(most_m))
        length_m = max(step * power for step in (1, 2, 5) if step * power <= most_m)
        text = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
        x, y = MARGIN, HEIGHT - MARGIN
        return (
            f'<path d="M{x:g} {y:g}h{length_m * per_m:.1f}" stroke="#222" stroke-width="2"/>'
            f'<text x="{x:g}" y="{y - 6:g}" fill="#222">{text}</text>'
        )


def _facts(place: Place) -> dict[str, Any]:
    device = place.device
    return {
        "role": place.role, "id": device.id, "kind": device.kind, "name": device.name, "region": device.region,
        "district": device.district, "attributes": dict(device.attributes),
    }  # fmt: skip


def _at(place: Place) -> Geometry | None:
    lat, lon = place.device.lat, place.device.lon
    return None if lat is None or lon is None else {"type": "Point", "coordinates": [lon, lat]}


def _rings(geometry: Geometry) -> Iterator[list[Point]]:
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    for polygon in polygons:
        for ring in polygon:
            yield [(float(lon), float(lat)) for lon, lat, *_ in ring]


def _ring(frame: _Frame, ring: Sequence[Point]) -> str:
    path = "L".join(f"{x:g} {y:g}" for x, y in map(frame.at, ring))
    return f'<path d="M{path}Z" fill="#eef2ee" stroke="#9aa"/>'


def _dot(frame: _Frame, place: Place, point: Point, labelled: bool) -> str:
    x, y = frame.at(point)
    radius, colour = {"alert": (7, "#c00"), "member": (4, "#d60")}.get(place.role, (4, "#567"))
    dot = f'<circle cx="{x:g}" cy="{y:g}" r="{radius}" fill="{colour}" stroke="#fff"/>'
    if not labelled:
        return dot
    name = escape(place.device.name or place.device.id)
    anchor, shift = ("end", -10) if x > WIDTH * 0.7 else ("start", 10)
    return f'{dot}<text x="{x + shift:g}" y="{y + 4:g}" text-anchor="{anchor}" fill="#222">{name}</text>'
