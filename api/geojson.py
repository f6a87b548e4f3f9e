"""GeoJSON (RFC 7946): an item is a Feature at its device's place, WGS 84 longitude first; null where it has none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.reply import encode, next_link

MEDIA_TYPE = "application/geo+json"
CONTENT: dict[str, Any] = {MEDIA_TYPE: {"schema": {"type": "object"}}}
Place = tuple[float, float]  # lon, lat


def geojson_reply(
    request: Request,
    items: Iterable[str],
    place_of: Callable[[dict[str, Any]], Place | None],
    names: Sequence[str] | None,
    more: str | None,
) -> Response:
    """JSON items as a FeatureCollection; names: its properties, all where None."""
    features = ",".join(_feature(json.loads(item), place_of, names) for item in items)
    body = f'{{"type":"FeatureCollection","features":[{features}],"next_cursor":{encode(more)}}}'
    return Response(body.encode(), 200, next_link(request, more), MEDIA_TYPE)


def _feature(
    item: dict[str, Any], place_of: Callable[[dict[str, Any]], Place | None], names: Sequence[str] | None
) -> str:
    at = place_of(item)
    return encode(
        {
            "type": "Feature",
            "id": item["id"] if "id" in item else item["device_id"],
            "geometry": at and {"type": "Point", "coordinates": at},
            "properties": item if names is None else {name: item[name] for name in names},
        }
    )
