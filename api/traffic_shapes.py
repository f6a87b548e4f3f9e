"""What answers about traffic look like, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from alerts.level_of_service import Letter
from api.shapes import Cursor, Number, Shape


class UsualSpeed(Shape):
    """Averaged over vehicles; in half of the n weeks before below p50, in a tenth of them below p10."""

    p10_kmh: Number
    p50_kmh: Number
    p90_kmh: Number
    n: Annotated[int, Field(description="weeks with a speed")]


class UsualFlow(Shape):
    """The same of all lanes that were heard."""

    p10_vph: Number
    p50_vph: Number
    p90_vph: Number
    n: Annotated[int, Field(description="weeks with readings")]


class Vehicles(Shape):
    """null where no detector tells classes."""

    motorcycles: Number
    cars: Number
    heavy: Number


class Site(Shape):
    """The detectors of a road, one a lane, by readings of the last 15 min."""

    site: str
    district: str | None
    lat: Number
    lon: Number
    devices: int
    reporting: Annotated[int, Field(description="of the detectors; what the others see nobody knows")]
    ts: Annotated[AwareDatetime | None, Field(description="the newest reading")]
    speed_kmh: Annotated[Number, Field(description="averaged over vehicles; null where none passed")]
    free_flow_kmh: Number
    flow_vph: Annotated[Number, Field(description="of all lanes")]
    occupancy_pct: Number
    density_per_km: Annotated[Number, Field(description="passenger cars per km and lane")]
    los: Annotated[Letter | None, Field(description="level of service, A to F, by density")]
    usual_speed: UsualSpeed
    usual_flow: UsualFlow
    departure_share: Annotated[Number, Field(description="of the usual speed: -0.5 is half as fast as usual")]
    vehicles_per_h: Annotated[Vehicles, Field(description="now")]
    vehicles_today: Vehicles


class Sites(Shape):
    items: list[Site]
    next_cursor: Cursor


class Quarter(Shape):
    """A quarter of an hour as it was; quarters of which nothing is known are left out."""

    bucket: AwareDatetime
    speed_kmh: Annotated[Number, Field(description="averaged over vehicles")]
    flow_vph: Annotated[Number, Field(description="of all lanes that were heard")]
    los: Annotated[Letter | None, Field(description="level of service, A to F, by density")]


class Course(Shape):
    site: str
    items: list[Quarter]


class Courses(Shape):
    items: list[Course]
    next_cursor: Cursor


class QuarterHour(Shape):
    bucket: Annotated[AwareDatetime, Field(description="begin, on the day asked about")]
    speed: UsualSpeed
    flow: UsualFlow


class Profile(Shape):
    site: str
    items: list[QuarterHour]


class Typical(Shape):
    """A day as the same weekday has been in the weeks before."""

    since: Annotated[AwareDatetime, Field(alias="from")]
    to: AwareDatetime
    weeks: int
    items: Annotated[list[Profile], Field(description="one for each site asked for")]
    next_cursor: Cursor
