"""The invented fleet: every device would be taken by the registry, stands in Asahan, and keeps its id."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import api
from devices.device import Device, check
from devices.topics import is_device_id, is_region
from simulator.asahan import GAUGES, KECAMATAN, STREETS
from simulator.fleet import Sizes, build, make_fleet, mix, tagged
from simulator.physics.rivers import REACHES

DISTRICTS = Path(api.__path__[0]) / "dashboard" / "asahan_kecamatan.geojson"
SIZES = [1, 2, 3, 7, 8, 39, 40, 200, 2_000]


def corners(coordinates: list[Any]) -> Iterator[list[float]]:
    if isinstance(coordinates[0], int | float):
        yield coordinates[:2]
    else:
        for part in coordinates:
            yield from corners(part)


@pytest.fixture(scope="module")
def asahan() -> tuple[float, float, float, float]:
    """West, south, east and north end of the 25 districts."""
    features = json.loads(DISTRICTS.read_text("utf-8"))["features"]
    assert len(features) == 25
    points = np.array([point for feature in features for point in corners(feature["geometry"]["coordinates"])])
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


@given(st.integers(1, 1_000_000))
def test_a_mix_adds_up_and_is_mostly_lamps(size: int) -> None:
    gauges, detectors, panels, _ = mix(size)
    lamps = sum(panels)
    assert gauges + detectors + lamps == size
    assert 1 <= gauges <= len(GAUGES)
    assert detectors >= 0
    assert all(panels)
    if size >= 4:
        assert min(gauges, detectors, lamps) >= 1, "all kinds appear"
    if size >= 200:
        assert 0.92 <= lamps / size <= 0.97


@pytest.mark.parametrize("size", SIZES)
def test_a_fleet_has_its_size_and_mix(size: int) -> None:
    kinds = Counter(device.kind for device in make_fleet(size, seed=1))
    gauges, detectors, panels, _ = mix(size)
    assert [kinds[k] for k in ("water_level", "traffic", "streetlight")] == [gauges, detectors, sum(panels)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_device_passes_the_registry(size: int, seed: int) -> None:
    fleet = make_fleet(size, seed)
    assert all(check(device) == device for device in fleet)
    assert all(is_device_id(device.id) for device in fleet)
    assert len({device.id for device in fleet}) == size


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_device_stands_within_the_districts(seed: int, asahan: tuple[float, float, float, float]) -> None:
    west, south, east, north = asahan
    for device in make_fleet(5_000, seed):
        assert device.lon is not None
        assert device.lat is not None
        assert west <= device.lon <= east, device
        assert south <= device.lat <= north, device
        assert device.district in {place.code for place in KECAMATAN}
        assert device.region == "12.09"


def test_the_same_size_and_seed_is_the_same_fleet() -> None:
    assert make_fleet(200, 1) == make_fleet(200, 1)


def test_another_seed_is_another_city_with_the_same_ids() -> None:
    one, other = make_fleet(200, 1), make_fleet(200, 2)
    assert [d.id for d in one] == [d.id for d in other]
    assert [(d.lat, d.lon) for d in one if d.kind == "streetlight"] != [
        (d.lat, d.lon) for d in other if d.kind == "streetlight"
    ]


def test_gauges_know_their_river_and_thresholds_and_claim_nothing_official() -> None:
    gauges = [d for d in make_fleet(200, 1) if d.kind == "water_level"]
    assert {d.id.removeprefix("wl-") for d in gauges} == set(REACHES)
    for gauge in gauges:
        has = gauge.attributes
        assert has["siaga_3_m"] < has["siaga_2_m"] < has["siaga_1_m"]
        assert has["official"] is False
        assert "bukan" in has["authority"]


def test_detectors_know_their_street_lane_and_free_flow() -> None:
    detectors = [d for d in make_fleet(2_000, 1) if d.kind == "traffic"]
    assert {d.attributes["site"] for d in detectors} == {street.name for street in STREETS}
    assert len({(d.attributes["site"], d.attributes["lane"]) for d in detectors}) == len(detectors)
    assert all(d.attributes["free_flow_kmh"] >= 35 for d in detectors)


def test_lamps_hang_on_feeders_of_panels() -> None:
    lamps = [d for d in make_fleet(2_000, 1) if d.kind == "streetlight"]
    panels = Counter(d.attributes["panel"] for d in lamps)
    assert all(45 <= members <= 165 for members in panels.values())
    assert all(d.attributes["feeder"].startswith(d.attributes["panel"] + "-") for d in lamps)
    assert {d.attributes["nominal_w"] for d in lamps} <= {40, 60, 90, 120, 150}


def test_a_small_fleet_lights_a_dozen_towns() -> None:
    lamps = [d for d in make_fleet(200, 1) if d.kind == "streetlight"]
    assert len({d.district for d in lamps}) >= 8
    assert min(Counter(d.attributes["panel"] for d in lamps).values()) >= 12


def test_under_another_region_no_district_of_asahan_is_claimed() -> None:
    for device in make_fleet(60, 1, "31"):
        assert (device.region, device.district) == ("31", None)


def test_panels_have_the_sizes_asked_for() -> None:
    devices = build(Sizes(2, 16, (5, 1, 214)), 1)
    assert [d.id for d in devices[:2]] == ["wl-buntu-pane", "wl-kisaran-barat"]
    panels = Counter(d.attributes["panel"] for d in devices if d.kind == "streetlight")
    assert panels == {"P-01": 5, "P-02": 1, "P-03": 214}
    detectors = [d for d in devices if d.kind == "traffic"]
    assert len(detectors) == 16
    assert [d.attributes["lane"] for d in detectors] == [1] * 14 + [2] * 2


def test_a_tag_gives_a_fleet_ids_and_panels_of_its_own() -> None:
    plain = make_fleet(60, 1)
    own = tagged(plain, "banjir-1")
    assert [d.id for d in own] == [f"banjir-1-{d.id}" for d in plain]
    assert all(check(device) == device for device in own)
    for mine, theirs in zip(own, plain, strict=True):
        assert (mine.lat, mine.lon, mine.kind, mine.district) == (theirs.lat, theirs.lon, theirs.kind, theirs.district)
        for name, value in theirs.attributes.items():
            assert mine.attributes[name] == (f"banjir-1-{value}" if name in ("panel", "feeder", "upstream") else value)


def test_the_stage_itself_is_sound() -> None:
    assert len(KECAMATAN) == 25
    assert len({place.code for place in KECAMATAN}) == 25
    assert all(is_region(place.code) and place.code.startswith("12.09.") for place in KECAMATAN)
    assert {site.key for site in GAUGES} == set(REACHES)
    assert all(isinstance(d, Device) for d in make_fleet(8, 1))


@pytest.mark.parametrize("size", SIZES)
def test_cabinets_are_part_of_its_size_and_stand_at_every_panel(size: int) -> None:
    fleet = make_fleet(size, seed=1, cabinets=True)
    assert len(fleet) == size
    lamps, cabinets = ([d for d in fleet if d.kind == kind] for kind in ("streetlight", "cabinet"))
    if cabinets:
        assert [c.attributes["panel"] for c in cabinets] == sorted({lamp.attributes["panel"] for lamp in lamps})
        assert sum(c.attributes["nominal_w"] for c in cabinets) == sum(lamp.attributes["nominal_w"] for lamp in lamps)
    assert bool(cabinets) == (size >= 4)
