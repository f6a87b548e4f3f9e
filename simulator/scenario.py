"""A scenario: a TOML file that says which fleet, which time, what happens, what breaks and what must come of it.

The format is in docs/simulator.md; every error names the file, the field and what it may be.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from devices.device import Device
from devices.topics import is_device_id
from simulator.asahan import GAUGES, REGION, STREETS
from simulator.city import WIB, City, Happenings
from simulator.faults import AnyFault
from simulator.fleet import Sizes, build, make_fleet, tagged
from simulator.pace import FIELD_PACE_S
from simulator.physics.lamp_faults import Failure
from simulator.physics.lamp_faults import Fault as LampFault
from simulator.physics.rain import Storm
from simulator.physics.traffic import Incident
from simulator.truth.rules import RuleName

FOLDER = files("simulator").joinpath("scenarios")
HOUR_S = 3600.0
FOR_EVER_MS = 2**62
STRANGER_SUFFIX = "-x"  # of a device beside a registered one, that nobody knows
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
    """gauges and detectors: how many. panels: the lamps of each panel, which are P-01, P-02, …"""

    gauges: int = Field(default=len(GAUGES), ge=0, le=len(GAUGES))
    detectors: int = Field(default=6, ge=0, le=100_000)
    panels: tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...] = (40, 40)

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

    fault: Literal["driver", "day_burner", "low_voltage", "partial", "cycling"]
    lamps: tuple[str, ...] = Field(min_length=1)


class TripTable(_Span):
    """A panel without mains: each lamp sends a last report at 0 V, is silent, and boots when power is back."""

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
    incident: tuple[IncidentTable, ...] = ()
    fault: tuple[AnyFault, ...] = ()
    expect: tuple[Expectation, ...] = ()


class Trip(NamedTuple):
    """Lamps (numbers in the fleet) without mains between two epoch ms."""

    lamps: tuple[int, ...]
    from_ms: int
    until_ms: int


@dataclass(frozen=True)
class Plan:
    """A scenario set in time and on a fleet: all that a run needs. names: device ids without tag."""

    scenario: str
    seed: int
    region: str
    start_ms: int
    end_ms: int
    city: City
    names: tuple[str, ...]
    trips: tuple[Trip, ...] = ()
    faults: tuple[AnyFault, ...] = ()
    expect: tuple[Expectation, ...] = ()

    @property
    def fleet(self) -> tuple[Device, ...]:
        return self.city.devices

    @property
    def tag(self) -> str:
        """What the ids of its devices begin with."""
        return self.fleet[0].id.removesuffix(self.names[0]).rstrip("-")


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


def plan(
    name: str,
    scenario: Scenario,
    seed: int,
    *,
    region: str = REGION,
    start: datetime | None = None,
    hours: float | None = None,
    devices: int | None = None,
) -> Plan:
    """Set a scenario in time. start, hours and devices replace its own. Raises ScenarioError."""
    begin = (start or scenario.start).timestamp()
    lasting = hours or scenario.hours
    plain = make_fleet(devices, seed, region) if devices else build(Sizes(*_sizes(scenario.fleet)), seed, region)
    names = tuple(device.id for device in plain)
    if devices is None:  # in another fleet, what is not there cannot break
        _check_faults(scenario, plain, name)
    tag = _tag(name, seed, start, hours, devices)
    trips = tuple(_trip(table, plain, begin, name) for table in scenario.trip)
    happenings = Happenings(
        opening=False,
        seeded=scenario.weather == "seed",
        faulty_share=scenario.faulty_share,
        storms=tuple(_storm(table, begin) for table in scenario.storm),
        failures=tuple(_failures(scenario, plain, trips, begin, name)),
        incidents=tuple(
            Incident(i.site, begin + i.from_h * HOUR_S, begin + i.until_h * HOUR_S, i.capacity)
            for i in scenario.incident
        ),
    )
    city = City(_own(plain, tag, name), seed, begin, seconds=scenario.pace.model_dump(), happenings=happenings)
    end_ms = city.start_ms + round(lasting * HOUR_S * 1000)
    whole = start is None and devices is None and lasting >= scenario.hours
    return Plan(
        name, seed, region, city.start_ms, end_ms, city, names, trips, scenario.fault,
        scenario.expect if whole else (),
    )  # fmt: skip


def plan_city(
    fleet: Sequence[Device], seed: int, region: str, start: float, *, rate: float | None, hours: float
) -> Plan:
    """The invented city as a plan: nothing breaks that does not break in any city. Raises RateError."""
    city = City(fleet, seed, start, rate=rate)
    names = tuple(device.id for device in fleet)
    end_ms = city.start_ms + round(hours * HOUR_S * 1000) if math.isfinite(hours) else FOR_EVER_MS
    return Plan("city", seed, region, city.start_ms, end_ms, city, names)


def _sizes(table: FleetTable) -> tuple[int, int, tuple[int, ...]]:
    return table.gauges, table.detectors, table.panels


def _tag(name: str, seed: int, start: datetime | None, hours: float | None, devices: int | None) -> str:
    """What the ids of a run begin with: two runs share devices only where they send the same readings."""
    parts = [re.sub(r"[^A-Za-z0-9_-]+", "-", Path(name).stem)[:16].strip("-"), str(seed)]
    if start is not None:
        parts.append(start.astimezone(WIB).strftime("%y%m%d%H%M%S"))
    if hours is not None:
        parts.append(f"{hours:g}h".replace(".", "_"))
    if devices is not None:
        parts.append(f"n{devices}")
    return "-".join(parts)


def _own(fleet: Sequence[Device], tag: str, origin: str) -> list[Device]:
    own = tagged(fleet, tag)
    longest = max(own, key=lambda device: len(device.id)).id
    if not is_device_id(longest + STRANGER_SUFFIX):
        raise ScenarioError(
            f"{origin}: ids such as {longest!r} are longer than 64 characters: give the file a shorter name"
        )
    return own


def _check_faults(scenario: Scenario, fleet: Sequence[Device], origin: str) -> None:
    for number, fault in enumerate(scenario.fault):
        if not any(fault.fits(device.kind, device.id) for device in fleet):
            kind = fault.kind or "device"
            raise ScenarioError(f"{origin}: fault.{number}: no {kind} of the fleet fits devices {fault.devices!r}")


def _storm(table: StormTable, begin: float) -> Storm:
    at = begin + table.at_h * HOUR_S
    return Storm(at, table.hours * HOUR_S, table.depth_mm, table.lat, table.lon, table.radius_km, table.runoff)


def _lamps(fleet: Sequence[Device]) -> list[int]:
    return [i for i, device in enumerate(fleet) if device.kind == "streetlight"]


def _trip(table: TripTable, fleet: Sequence[Device], begin: float, origin: str) -> Trip:
    fed = tuple(i for i in _lamps(fleet) if fleet[i].attributes.get("panel") == table.panel)
    if not fed:
        panels = sorted({str(fleet[i].attributes.get("panel")) for i in _lamps(fleet)})
        raise ScenarioError(f"{origin}: trip.panel: no panel {table.panel!r}; there are {', '.join(panels)}")
    return Trip(fed, round((begin + table.from_h * HOUR_S) * 1000), round((begin + table.until_h * HOUR_S) * 1000))


def _failures(
    scenario: Scenario, fleet: Sequence[Device], trips: Sequence[Trip], begin: float, origin: str
) -> list[Failure]:
    """Failures name lamps by their place among the lamps. A lamp without mains has no other failure for the while."""
    place = {device: row for row, device in enumerate(_lamps(fleet))}
    dark: dict[int, list[tuple[float, float]]] = {i: [] for i in place}
    for trip in trips:
        for i in trip.lamps:
            dark[i].append((trip.from_ms / 1000, trip.until_ms / 1000))
    found = [Failure(place[i], LampFault.UNPOWERED, *span) for i, spans in dark.items() for span in spans]
    for table in scenario.failure:
        broken = [i for i in place if any(fnmatchcase(fleet[i].id, pattern) for pattern in table.lamps)]
        if not broken:
            raise ScenarioError(f"{origin}: failure.lamps: no lamp fits {', '.join(table.lamps)}")
        since, until = begin + table.from_h * HOUR_S, begin + table.until_h * HOUR_S
        fault = LampFault[table.fault.upper()]
        found += [Failure(place[i], fault, *span) for i in broken for span in _outside(since, until, dark[i])]
    found.sort(key=lambda failure: (failure.lamp, failure.since))
    for one, other in pairwise(found):
        if one.lamp == other.lamp and other.since < one.until:
            lamp = fleet[_lamps(fleet)[one.lamp]].id
            what = f"{one.fault.name.lower()} and {other.fault.name.lower()}"
            raise ScenarioError(f"{origin}: {lamp}: {what} at the same time; a lamp has one failure, a panel one trip")
    return found


def _outside(since: float, until: float, spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What is left of a span of time without others."""
    left = []
    for begin, end in sorted(spans):
        if since < min(begin, until):
            left.append((since, min(begin, until)))
        since = max(since, end)
    return [*left, (since, until)] if since < until else left
