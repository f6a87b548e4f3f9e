"""What answers about streetlights look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from api.shapes import Cursor, Number, Shape

Shares = list[Number]
Flags = list[bool | None]


class LampGroup(Shape):
    """Lamps of a panel or feeder; without one, those of a district. Arrays have a value for every cell."""

    group: Annotated[str | None, Field(description="null: lamps that have none, by their district")]
    district: Annotated[str | None, Field(description="where most of its lamps are")]
    lat: Annotated[Number, Field(description="middle of its lamps")]
    lon: Number
    lamps: int
    lit: Annotated[int, Field(description="now, by their newest readings")]
    expected: Annotated[int, Field(description="that should be lit now by the sun; 0 by day")]
    silent: Annotated[int, Field(description="that nobody knows of now, as they have not reported")]
    power_w: Annotated[float, Field(description="now, of those that are heard")]
    dark_since: Annotated[AwareDatetime | None, Field(description="the outage that stands")]
    alert_id: Annotated[int | None, Field(description="of that outage")]
    faults: Annotated[dict[str, int], Field(description="lamps against which a rule stands, by rule")]
    lit_share: Annotated[Shares, Field(description="dimmed ones too; null: still to come")]
    dimmed_share: Shares
    no_data_share: Shares
    should_be_lit: Annotated[Flags, Field(description="by the sun; null where the place is unknown")]
    dark: Annotated[Flags, Field(description="dark together though the sun is down, or in an outage")]


class Night(Shape):
    """Cells of step_s from `from` on, half-open, the same for all."""

    since: Annotated[AwareDatetime, Field(alias="from")]
    to: AwareDatetime
    step_s: int
    half: Literal["night", "day"]
    sunset: Annotated[AwareDatetime | None, Field(description="computed, in the middle of all lamps")]
    sunrise: AwareDatetime | None
    items: list[LampGroup]
    next_cursor: Cursor


class DarkPanel(Shape):
    by: Literal["panel", "feeder"]
    group: str
    alert_id: int
    since: AwareDatetime
    lamps: int


class FaultsOfRule(Shape):
    rule: str
    devices: Annotated[int, Field(description="against which it stands now")]
    alone: Annotated[int, Field(description="of these, those that no incident stands for")]
    raised: Annotated[int, Field(description="how often within the last 30 days")]


class LampSummary(Shape):
    lamps: int
    panels: int
    feeders: int
    lit: Annotated[int, Field(description="now, by their newest readings")]
    expected: Annotated[int, Field(description="that should be lit now by the sun; 0 by day")]
    silent: Annotated[int, Field(description="that nobody knows of now, as they have not reported")]
    power_w: float
    dark: list[DarkPanel]
    day_burners: Annotated[int, Field(description="lit by day, as the rule day_burner says")]
    failed_alone: Annotated[int, Field(description="out, and no incident stands for them")]
    faults: list[FaultsOfRule]
