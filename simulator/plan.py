"""A plan: a scenario, or the invented city, set in time and on a fleet. All that a run needs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from devices.device import Device
from devices.topics import is_device_id
from simulator.asahan import REGION
from simulator.city import WIB, City, Happenings
from simulator.faults import AnyFault
from simulator.faults.fault import Scope
from simulator.fleet import Sizes, build, make_fleet, tagged
from simulator.physics.cabinets import Happens, Spell
from simulator.physics.lamp_faults import Failure
from simulator.physics.lamp_faults import Fault as LampFault
from simulator.physics.rain import Storm
from simulator.physics.traffic import Incident
from simulator.regions import dealt
from simulator.scenario import Expectation, FleetTable, Scenario, ScenarioError, StormTable, TapTable, TripTable

HOUR_S = 3600.0
FOR_EVER_MS = 2**62
STRANGER_SUFFIX = "-x"  # of a device beside a registered one, that nobody knows


class Trip(NamedTuple):
    """Lamps and their cabinet (numbers in the fleet) without mains between two epoch ms."""

    devices: tuple[int, ...]
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

    def thrown(self, sort: Any) -> list[tuple[Any, Scope]]:
        """Faults of a sort, with whom and when each befalls; their place in the scenario makes their dice."""
        return [
            (fault, Scope.of(fault, number, self.city, self.names, self.end_ms))
            for number, fault in enumerate(self.faults)
            if isinstance(fault, sort)
        ]


def plan(
    name: str,
    scenario: Scenario,
    seed: int,
    *,
    regions: Sequence[str] = (REGION,),
    start: datetime | None = None,
    hours: float | None = None,
    devices: int | None = None,
) -> Plan:
    """Set a scenario in time. start, hours and devices replace its own; its fleet is dealt out to the regions.

    Raises ScenarioError.
    """
    begin = (start or scenario.start).timestamp()
    lasting = hours or scenario.hours
    region = regions[0]
    whole = make_fleet(devices, seed, region) if devices else build(_sizes(scenario.fleet), seed, region)
    plain = dealt(whole, regions)
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
        at_cabinets=_of_cabinets(scenario, plain, trips, begin, name),
    )
    city = City(_own(plain, tag, name), seed, begin, seconds=scenario.pace.model_dump(), happenings=happenings)
    end_ms = city.start_ms + round(lasting * HOUR_S * 1000)
    as_written = start is None and devices is None and lasting >= scenario.hours
    return Plan(
        name, seed, region, city.start_ms, end_ms, city, names, trips, scenario.fault,
        scenario.expect if as_written else (),
    )  # fmt: skip


def plan_city(
    fleet: Sequence[Device], seed: int, region: str, start: float, *, rate: float | None, hours: float
) -> Plan:
    """The invented city as a plan: nothing breaks that does not break in any city. Raises RateError."""
    city = City(fleet, seed, start, rate=rate)
    names = tuple(device.id for device in fleet)
    end_ms = city.start_ms + round(hours * HOUR_S * 1000) if math.isfinite(hours) else FOR_EVER_MS
    return Plan("city", seed, region, city.start_ms, end_ms, city, names)


def _sizes(table: FleetTable) -> Sizes:
    return Sizes(table.gauges, table.detectors, table.panels, table.cabinets)


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
    return _of_kind(fleet, "streetlight")


def _of_kind(fleet: Sequence[Device], kind: str) -> list[int]:
    return [i for i, device in enumerate(fleet) if device.kind == kind]


def _of_cabinets(
    scenario: Scenario, fleet: Sequence[Device], trips: Sequence[Trip], begin: float, origin: str
) -> Happens:
    """What happens to cabinets, which are named by their place among the cabinets."""
    numbers = _of_kind(fleet, "cabinet")
    place = {fleet[i].attributes["panel"]: row for row, i in enumerate(numbers)}
    found: dict[str, list[Spell]] = {"tap": [], "visit": []}
    for field, tables in (("tap", scenario.tap), ("visit", scenario.visit)):
        for table in tables:
            if table.panel not in place:
                there = ", ".join(sorted(place)) or "none: [fleet] cabinets = true"
                raise ScenarioError(f"{origin}: {field}.panel: no cabinet at panel {table.panel!r}; there are {there}")
            since, until = begin + table.from_h * HOUR_S, begin + table.until_h * HOUR_S
            watts = table.watts if isinstance(table, TapTable) else 0.0
            found[field].append(Spell(place[table.panel], since, until, watts))
    dark = [Spell(row, trip.from_ms / 1000, trip.until_ms / 1000)
            for trip in trips for row, i in enumerate(numbers) if i in trip.devices]  # fmt: skip
    return Happens(tuple(found["tap"]), tuple(dark), tuple(found["visit"]))


def _trip(table: TripTable, fleet: Sequence[Device], begin: float, origin: str) -> Trip:
    fed = tuple(i for i in _lamps(fleet) if fleet[i].attributes.get("panel") == table.panel)
    if not fed:
        panels = sorted({str(fleet[i].attributes.get("panel")) for i in _lamps(fleet)})
        raise ScenarioError(f"{origin}: trip.panel: no panel {table.panel!r}; there are {', '.join(panels)}")
    fed += tuple(i for i in _of_kind(fleet, "cabinet") if fleet[i].attributes["panel"] == table.panel)
    return Trip(fed, round((begin + table.from_h * HOUR_S) * 1000), round((begin + table.until_h * HOUR_S) * 1000))


def _failures(
    scenario: Scenario, fleet: Sequence[Device], trips: Sequence[Trip], begin: float, origin: str
) -> list[Failure]:
    """Failures name lamps by their place among the lamps. A lamp without mains has no other failure for the while."""
    place = {device: row for row, device in enumerate(_lamps(fleet))}
    dark: dict[int, list[tuple[float, float]]] = {i: [] for i in place}
    for trip in trips:
        for i in trip.devices:
            if i not in place:
                continue
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
