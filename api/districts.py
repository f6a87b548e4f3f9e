"""The polygons of the regency's districts, as the map of the dashboard has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

FILE = "asahan_kecamatan.geojson"


@cache
def districts() -> Mapping[str, Mapping[str, Any]]:
    """GeoJSON geometries by Kemendagri code; of a regency without a map here none."""
    shapes = json.loads(files("api").joinpath("dashboard", FILE).read_text("utf-8"))
    return {str(each["id"]): each["geometry"] for each in shapes["features"]}
