"""What answers about forecasts look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from alerts.forecast import Basis, Stage
from alerts.forecast_rise import Reason
from api.shapes import Cursor, Number, Shape, Text

Count = Annotated[int, Field(ge=0)]


class Expected(Shape):
    """One level that a gauge is expected to come to."""

    siaga: Annotated[int, Field(ge=1, le=3, description="1 is the worst")]
    bound_m: float
    at: AwareDatetime
    earliest: Annotated[AwareDatetime, Field(description="with `latest`: the middle 80 % of past errors")]
    latest: AwareDatetime
    stage: Annotated[
        Stage, Field(description="warning: within 1 h; advisory: within 2 h and steady; watch: within the horizon")
    ]
    basis: Annotated[Basis, Field(description="own: it goes on rising as it does; upstream: water that is on its way")]
    upstream: Annotated[str | None, Field(description="id of the gauge upstream, where that is the basis")]
    lag_h: Annotated[Number, Field(description="how long water takes from there, as learned of past rises")]
    rose_m: Annotated[Number, Field(description="how far it rose there within the lag")]
    text: Text
    outcome: Annotated[
        Literal["hit", "false", "unknown"] | None, Field(description="null: the horizon has not passed yet")
    ]
    reached_at: AwareDatetime | None


class Refusal(Shape):
    """Why nothing is said of a gauge."""

    reason: Reason
    since: AwareDatetime
    text: Text


class Forecast(Shape):
    device_id: str
    device_name: str
    as_of: Annotated[AwareDatetime | None, Field(description="time of the newest reading it was made from")]
    made_at: AwareDatetime | None
    level_m: Number
    slope_m_h: Annotated[Number, Field(description="Theil-Sen over the last hour, m/h")]
    points: Annotated[int | None, Field(description="readings in that hour")]
    levels: list[Expected]
    refused: Refusal | None


class Forecasts(Shape):
    items: list[Forecast]
    next_cursor: Cursor


class Judged(Shape):
    """What was said first of a level that a gauge was expected to come to, and what came of it."""

    device_id: str
    siaga: Annotated[int, Field(ge=1, le=3)]
    bound_m: float
    stage: Stage
    basis: Basis
    as_of: AwareDatetime
    at: AwareDatetime
    earliest: AwareDatetime
    latest: AwareDatetime
    outcome: Literal["hit", "false", "unknown"]
    reached_at: AwareDatetime | None


class PastForecasts(Shape):
    items: list[Judged]
    next_cursor: Cursor


class Interval(Shape):
    """Of forecasts whose level was reached."""

    timed: Count
    covered: Annotated[int, Field(ge=0, description="reached between earliest and latest")]
    coverage: Annotated[Number, Field(description="covered / timed; 0.8 is meant")]


class Score(Shape):
    """Of forecasts of at least this stage."""

    stage: Stage
    forecasts: Count
    runs: Annotated[
        int, Field(ge=0, description="forecasts of one level without an hour between them, judged by the first")
    ]
    right: Annotated[int, Field(ge=0, description="runs whose level was reached within the horizon of their begin")]
    false: Annotated[int, Field(ge=0, description="runs whose level was not reached")]
    unknown: Annotated[int, Field(ge=0, description="runs of which too few readings tell")]
    pending: Count
    right_share: Annotated[Number, Field(description="right / (right + false)")]
    crossings: Annotated[int, Field(ge=0, description="how often gauges came to a level from below")]
    hits: Annotated[int, Field(ge=0, description="crossings that were forecast within the horizon before")]
    misses: Count
    lead_median_h: Annotated[Number, Field(description="of hits: from the first forecast to the crossing")]
    interval: Interval


class Scores(Shape):
    since: Annotated[AwareDatetime, Field(alias="from")]
    to: AwareDatetime
    device: str | None
    horizon_h: float
    items: list[Score]
