"""The invented fleet: mostly lamps, seven gauges, traffic detectors on named streets of Kisaran.

A pure function of its sizes, seed and region; ids are stable, so registering it twice changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from devices.device import Device, check
from simulator.asahan import (
    AUTHORITY,
    DATUM,
    GAUGES,
    KECAMATAN,
    REGION,
    STREETS,
    VALID_FROM,
    Kecamatan,
    nearest_district,
)
from simulator.noise import normal, uniform
from simulator.physics.rivers import REACHES

LAMP_SPACING_DEG = 0.00036  # 40 m between poles
ALL_POLES = 10_000  # a fleet of so many lamps has every pole
FEEDERS = "ABCD"
NAMED = ("panel", "feeder", "upstream")  # attributes that name something of the fleet
NOMINAL_W = (40.0, 60.0, 90.0, 120.0, 150.0)
DIRECTIONS = ("masuk kota", "keluar kota")


class Sizes(NamedTuple):
    """How many gauges (of the seven, in their order) and detectors, and lamps of each panel; whether with cabinets."""

    gauges: int
    detectors: int
    panels: tuple[int, ...]
    cabinets: bool = False


def make_fleet(size: int, seed: int, region: str = REGION, *, cabinets: bool = False) -> list[Device]:
    """`size` devices: gauges first, then detectors, then lamps, then the cabinets of their panels, if wanted."""
    return build(mix(size, cabinets), seed, region)


def build(sizes: Sizes, seed: int, region: str = REGION) -> list[Device]:
    """A fleet of these sizes, in the same order."""
    lamps = list(_lamps(sizes.panels, seed, region))
    made = [*_gauges(sizes.gauges, region), *_detectors(sizes.detectors, seed, region), *lamps]
    if sizes.cabinets:
        made += _cabinets(lamps)
    devices = []
    for device in made:
        checked = check(device)
        if not isinstance(checked, Device):
            raise ValueError(f"{device.id}: {checked}")
        devices.append(checked)
    return devices


def tagged(devices: Sequence[Device], tag: str) -> list[Device]:
    """The same devices under ids, panels and names of their own, so that two runs never share one."""
    own = []
    for device in devices:
        renamed = {name: f"{tag}-{device.attributes[name]}" for name in NAMED if name in device.attributes}
        attributes = {**device.attributes, **renamed}
        own.append(replace(device, id=f"{tag}-{device.id}", name=f"{device.name} [{tag}]", attributes=attributes))
    return own


def mix(size: int, cabinets: bool = False) -> Sizes:
    """About 93 % lamps, less in small fleets so that all kinds appear; cabinets take the place of lamps."""
    if size < 40:
        gauges = min(len(GAUGES), max(1, size // 4))
        detectors = max(1, size // 8) if size > 2 else 0
    else:
        gauges, detectors = len(GAUGES), max(4, round(0.03 * size))
    lamps = size - gauges - detectors
    panels = max(1, lamps // round(min(150, max(12, lamps / 12)))) if lamps else 0
    if cabinets and (cabinets := lamps > panels):
        lamps -= panels
    return Sizes(gauges, detectors, tuple(lamps // panels + (p < lamps % panels) for p in range(panels)), cabinets)


def _gauges(count: int, region: str) -> Iterator[Device]:
    there = {site.key for site in GAUGES[:count]}
    for site in GAUGES[:count]:
        attributes: dict[str, Any] = {
            "river": site.river,
            "sensor_to_datum_m": site.sensor_m,
            "siaga_3_m": site.bounds[0],
            "siaga_2_m": site.bounds[1],
            "siaga_1_m": site.bounds[2],
            "datum": DATUM,
            "authority": AUTHORITY,
            "valid_from": VALID_FROM,
            "official": False,
        }
        if source := next((key for key, _ in REACHES[site.key].upstream if key in there), None):
            attributes["upstream"] = f"wl-{source}"
        yield Device(
            f"wl-{site.key}", "water_level", site.name, region, _district(region, site.district), site.lat, site.lon,
            attributes,
        )  # fmt: skip


def _detectors(count: int, seed: int, region: str) -> Iterator[Device]:
    """One detector per lane: lane 1 of every street first, then lane 2 in the other direction, and so on to lane 20."""
    for i in range(count):
        block, at = divmod(i, len(STREETS))
        area, lane = divmod(block, 20)
        street, lane = STREETS[at], lane + 1
        # Past 20 lanes a street there are copies of the city, as only a load test needs them.
        key, name = (street.key, street.name) if area == 0 else (f"{street.key}-{area}", f"{street.name} {area}")
        shift = normal(seed, "detector/place", i, [0, 1]) * 0.0004
        lat, lon = round(street.lat + float(shift[0]), 6), round(street.lon + float(shift[1]), 6)
        direction = DIRECTIONS[(lane - 1) % 2]
        attributes = {"site": name, "lane": lane, "direction": direction, "free_flow_kmh": street.free_flow_kmh}
        district = _district(region, nearest_district(lat, lon))
        yield Device(
            f"tr-{key}-{lane}", "traffic", f"{name}, lajur {lane} {direction}", region, district, lat, lon, attributes
        )


def _lamps(panels: Sequence[int], seed: int, region: str) -> Iterator[Device]:
    """Lamps in panels, each with up to four feeders that leave it along streets.

    A small fleet has small panels and stands for every n-th pole, so that a dozen towns can be seen and not one street.
    """
    count = sum(panels)
    spacing_deg = LAMP_SPACING_DEG * max(1.0, min(8.0, math.sqrt(ALL_POLES / max(count, 1))))
    width = max(4, len(str(count)))
    number = 0
    for p, (place, members) in enumerate(zip(_places(len(panels)), panels, strict=True)):
        feeders = max(1, min(len(FEEDERS), members // 4))
        spread = normal(seed, "panel/place", p, [0, 1])
        lat0, lon0 = place.town[0] + 0.006 * float(spread[0]), place.town[1] + 0.006 * float(spread[1])
        heading = float(uniform(seed, "panel/heading", p)) * math.pi / 2
        nominal = NOMINAL_W[int(float(uniform(seed, "panel/nominal", p)) * len(NOMINAL_W))]
        jitter = normal(seed, "lamp/place", p, range(2 * members)) * 0.00003
        panel = f"P-{p + 1:02d}"
        for j in range(members):
            number += 1
            feeder, pole = j % feeders, j // feeders + 1
            angle = heading + feeder * 2 * math.pi / feeders
            lat = lat0 + math.sin(angle) * pole * spacing_deg + float(jitter[2 * j])
            lon = lon0 + math.cos(angle) * pole * spacing_deg + float(jitter[2 * j + 1])
            yield Device(
                f"pju-{number:0{width}d}",
                "streetlight",
                f"Lampu {number:0{width}d}, {panel} {place.name}",
                region,
                _district(region, place.code),
                round(lat, 6),
                round(lon, 6),
                {"feeder": f"{panel}-{FEEDERS[feeder]}", "panel": panel, "nominal_w": nominal},
            )


def _cabinets(lamps: Sequence[Device]) -> Iterator[Device]:
    """One in the midst of each panel's lamps."""
    of_panel: dict[str, list[Device]] = {}
    for lamp in lamps:
        of_panel.setdefault(lamp.attributes["panel"], []).append(lamp)
    for panel, members in of_panel.items():
        lat, lon = (float(np.mean([place or 0.0 for place in places])) for places in zip(
            *((lamp.lat, lamp.lon) for lamp in members), strict=True))  # fmt: skip
        place = str(members[0].name).partition(f"{panel} ")[2]
        load_w = float(sum(lamp.attributes["nominal_w"] for lamp in members))
        yield Device(
            f"panel-{panel[2:]}", "cabinet", f"Panel {panel} {place}", members[0].region, members[0].district,
            round(lat, 6), round(lon, 6), {"panel": panel, "nominal_w": load_w},
        )  # fmt: skip


def _places(panels: int) -> Iterator[Kecamatan]:
    """Where panel after panel goes, in proportion to the shares (highest averages: d'Hondt)."""
    held = [0] * len(KECAMATAN)
    for _ in range(panels):
        best = max(range(len(KECAMATAN)), key=lambda i: KECAMATAN[i].share / (held[i] + 1))
        held[best] += 1
        yield KECAMATAN[best]


def _district(region: str, code: str) -> str | None:
    """Kecamatan codes are Asahan's own: under another region's code they would be false."""
    return code if region == REGION else None
