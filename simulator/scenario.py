"""A scenario: a TOML file that says which fleet, which time, what happens, what breaks and what must come of it.

The format is in docs/scenarios.md; every error names the file, the field and what it may be.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from simulator.asahan import GAUGES, STREETS
from simulator.faults import AnyFault
from simulator.pace import FIELD_PACE_S
from simulator.truth.rules import RuleName

FOLDER = files("simulator").joinpath("scenarios")
Hours = Annotated[float, Field(ge=0, le=24 * 366)]
Count = Annotated[int, Field(ge=0)]


class ScenarioError(Exception):
    """The scenario cannot be played; the message names file and field."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Span(_Table):
    """Hours after the start."""

    from_h: Hours = 0.0
    until_h: Hours

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.from_h >= self.until_h:
            raise ValueError(f"from_h {self.from_h:g} must be less than until_h {self.until_h:g}")
        return self


class FleetTable(_Table):
    """gauges and detectors: how many. panels: the lamps of each panel, which are P-01, P-02, …; cabinets: with a meter
    in front of each, panel-01, panel-02, …"""

    gauges: int = Field(default=len(GAUGES), ge=0, le=len(GAUGES))
    detectors: int = Field(default=6, ge=0, le=100_000)
    panels: tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...] = (40, 40)
    cabinets: bool = False

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.gauges or self.detectors or self.panels):
            raise ValueError("no gauges, no detectors and no panels: at least one device is needed")
        return self


class Pace(_Table):
    """Seconds between two reports of a device."""

    streetlight: float = Field(default=FIELD_PACE_S["streetlight"], ge=1, le=86_400)
    water_level: float = Field(default=FIELD_PACE_S["water_level"], ge=1, le=86_400)
    traffic: float = Field(default=FIELD_PACE_S["traffic"], ge=1, le=86_400)
    cabinet: float = Field(default=FIELD_PACE_S["cabinet"], ge=1, le=86_400)


class StormTable(_Table):
    """Rain: depth at the centre, the share of it that runs off, its place and its extent (domain: rain.Storm)."""

    at_h: float = Field(ge=-24 * 14, le=24 * 366)
    hours: float = Field(default=6.5, gt=0, le=72)
    depth_mm: float = Field(gt=0, le=500)
    lat: float = Field(default=2.80, ge=-90, le=90)
    lon: float = Field(default=99.31, ge=-180, le=180)
    radius_km: float = Field(default=14.0, gt=0, le=200)
    runoff: float = Field(default=0.6, gt=0, le=1)


class FailureTable(_Span):
    """Lamps that fail. lamps: ids without tag, as pju-0012, or a pattern."""

    fault: Literal["driver", "day_burner", "low_voltage", "partial", "cycling", "high_power", "low_power_factor"]
    lamps: tuple[str, ...] = Field(min_length=1)


class TripTable(_Span):
    """A panel without mains: each lamp sends a last report at 0 V, is silent, and boots when power is back; so does its
    cabinet, if it has one."""

    panel: str


class TapTable(_Span):
    """Somebody else's load behind the meter of a panel's cabinet, in W."""

    panel: str
    watts: float = Field(gt=0, le=100_000)


class VisitTable(_Span):
    """Somebody at the cabinet of a panel: its door is open."""

    panel: str


class IncidentTable(_Span):
    """A lane blocked on a street: the share of its capacity that is left."""

    site: str
    capacity: float = Field(ge=0, lt=1)

    @field_validator("site")
    @classmethod
    def _known(cls, site: str) -> str:
        names = [street.name for street in STREETS]
        if site not in names:
            raise ValueError(f"no street {site!r}; there are {', '.join(names)}")
        return site


class Expectation(_Table):
    """What the author says must come of it, for a person to read and for the run to check: so many alerts of a rule
    (count: a number, or the least and the most) on devices that fit the pattern, raised between from_h and until_h.
    severity: the worst that each comes to, if given. In a scenario that expects anything, nothing else may come."""

    rule: RuleName | Literal["stale"]
    devices: str = "*"
    count: Count | tuple[Count, Count] = 1
    severity: int | None = Field(default=None, ge=0, le=3)
    from_h: Hours = 0.0
    until_h: Hours | None = None

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.until_h is not None and self.from_h >= self.until_h:
            raise ValueError(f"from_h {self.from_h:g} must be less than until_h {self.until_h:g}")
        if self.counts[0] > self.counts[1]:
            raise ValueError(f"count: the least {self.counts[0]} must not be above the most {self.counts[1]}")
        return self

    @property
    def counts(self) -> tuple[int, int]:
        """The least and the most."""
        return self.count if isinstance(self.count, tuple) else (self.count, self.count)


class Scenario(_Table):
    """The whole file."""

    title: str
    start: AwareDatetime
    hours: float = Field(gt=0, le=24 * 366)
    fleet: FleetTable = FleetTable()
    pace: Pace = Pace()
    weather: Literal["seed", "dry"] = "dry"
    faulty_share: float = Field(default=0.0, ge=0, le=1)
    storm: tuple[StormTable, ...] = ()
    failure: tuple[FailureTable, ...] = ()
    trip: tuple[TripTable, ...] = ()
    tap: tuple[TapTable, ...] = ()
    visit: tuple[VisitTable, ...] = ()
    incident: tuple[IncidentTable, ...] = ()
    fault: tuple[AnyFault, ...] = ()
    expect: tuple[Expectation, ...] = ()


def shipped() -> list[str]:
    """Names of the scenarios that come with Siaga."""
    return sorted(entry.name.removesuffix(".toml") for entry in FOLDER.iterdir() if entry.name.endswith(".toml"))


def read(name: str) -> Scenario:
    """A shipped scenario by its name, or one of the user's own by its file. Raises ScenarioError."""
    if name in shipped():
        return parse(FOLDER.joinpath(f"{name}.toml").read_text("utf-8"), name)
    path = Path(name)
    if path.suffix != ".toml":
        raise ScenarioError(f"no scenario {name!r}; there are {', '.join(shipped())}, or give a FILE.toml")
    try:
        return parse(path.read_text("utf-8"), name)
    except OSError as error:
        raise ScenarioError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{name}: no UTF-8 text: {error}") from None


def parse(text: str, origin: str) -> Scenario:
    """Raises ScenarioError."""
    try:
        return Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{origin}: not TOML: {error}") from None
    except ValidationError as error:
        lines = [f"{origin}: {'.'.join(map(str, e['loc'])) or 'scenario'}: {e['msg']}" for e in error.errors()]
        raise ScenarioError("\n".join(lines)) from None
