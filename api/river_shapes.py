"""What answers about rivers look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from api.shapes import Cursor, Number, Shape


class TravelTime(Shape):
    """From the gauge upstream to this one, learned from past rises (docs/forecasts.md); null until there are enough."""

    device_id: str
    device_name: str
    river: str | None
    upstream: str
    upstream_name: str
    lag_s: Number
    earliest_s: Annotated[Number, Field(description="shortest lag at which past rises look nearly as much alike")]
    latest_s: Annotated[Number, Field(description="longest such lag")]
    gain_share: Annotated[Number, Field(description="how much of a rise arrives")]
    alike_share: Annotated[Number, Field(description="correlation of the rises, up to 1")]
    waves: Annotated[int | None, Field(description="flood waves it was learned from")]
    looked_at: AwareDatetime | None


class TravelTimes(Shape):
    items: list[TravelTime]
    next_cursor: Cursor


class Rain(Shape):
    """Sums of what was measured; null where nothing was."""

    device_id: str
    device_name: str
    district: str | None
    river: str | None
    upstream: str | None
    rain_1h_mm: Number
    rain_3h_mm: Number
    rain_24h_mm: Number
    newest: Annotated[AwareDatetime | None, Field(description="begin of the newest five minutes with a measurement")]


class Rains(Shape):
    items: list[Rain]
    next_cursor: Cursor
