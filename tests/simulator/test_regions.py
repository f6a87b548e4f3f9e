"""A fleet in several regions: the same devices, what belongs together together, as evenly as that allows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from simulator.fleet import make_fleet
from simulator.plan import plan
from simulator.regions import TOGETHER, dealt
from simulator.scenario import read

REGIONS = [f"12.{number:02d}" for number in range(1, 21)]


def test_one_region_changes_nothing() -> None:
    fleet = make_fleet(100, 1)
    assert dealt(fleet, ["12.09"]) == fleet


@pytest.mark.parametrize("size", [1, 40, 1_000])
def test_devices_differ_in_their_region_only(size: int) -> None:
    fleet = make_fleet(size, 1, cabinets=True)
    there = dealt(fleet, REGIONS)
    assert [replace(each, region="12.09", district=None) for each in there] == [
        replace(each, district=None) for each in fleet
    ]
    assert {each.region for each in there} <= set(REGIONS)
    regions: defaultdict[tuple[str, object], set[str | None]] = defaultdict(set)
    for each in there:
        for name in TOGETHER:
            if name in each.attributes:
                regions[name, each.attributes[name]].add(each.region)
    assert all(len(found) == 1 for found in regions.values()), "a panel, a river, a site is in one region"


def test_no_region_of_many_is_empty_or_has_most() -> None:
    sizes = Counter(each.region for each in dealt(make_fleet(5_000, 1), REGIONS))
    assert sizes.keys() == set(REGIONS)
    assert max(sizes.values()) < 3 * 5_000 / len(REGIONS)


def test_a_scenario_is_played_in_all_of_them() -> None:
    it = plan("hari-biasa", read("hari-biasa"), 1, regions=REGIONS[:3], devices=200)
    assert {device.region for device in it.fleet} == set(REGIONS[:3])
    assert it.region == REGIONS[0]
