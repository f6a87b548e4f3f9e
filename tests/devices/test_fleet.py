"""The numbered fleet: numbers stay for life, columns follow the devices."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from devices.device import Device
from devices.fleet import Fleet


def lamp(device_id: str, **attributes: object) -> Device:
    return Device(device_id, "streetlight", attributes=attributes)


def test_devices_are_found_by_id() -> None:
    fleet = Fleet([lamp("a"), lamp("b")])
    assert len(fleet) == 2
    assert fleet.get("b") == lamp("b")
    assert fleet.get("c") is None
    assert fleet.number == {"a": 0, "b": 1}


def test_a_changed_device_keeps_its_number_and_new_ones_follow() -> None:
    fleet = Fleet([lamp("a"), lamp("b")]).updated([lamp("c"), lamp("a", nominal_w=60.0), lamp("c", nominal_w=40.0)])
    assert fleet.number == {"a": 0, "b": 1, "c": 2}
    assert fleet.devices == (lamp("a", nominal_w=60.0), lamp("b"), lamp("c", nominal_w=40.0))


def test_an_update_leaves_the_fleet_before_as_it_was() -> None:
    before = Fleet([lamp("a", nominal_w=60.0)])
    before.attribute("nominal_w")
    after = before.updated([lamp("a", nominal_w=90.0), lamp("b")])
    assert before.attribute("nominal_w").tolist() == [60.0]
    assert after.attribute("nominal_w")[0] == 90.0
    assert len(before) == 1


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=4), max_size=6))
def test_numbers_are_stable_whatever_is_updated(rounds: list[list[str]]) -> None:
    fleet = Fleet([lamp("a"), lamp("b")])
    for ids in rounds:
        after = fleet.updated(lamp(device_id) for device_id in ids)
        assert fleet.number.items() <= after.number.items()
        assert [device.id for device in after.devices] == sorted(after.number, key=after.number.__getitem__)
        fleet = after


def test_a_numeric_attribute_is_a_column_with_nan_where_there_is_none() -> None:
    fleet = Fleet([lamp("a", nominal_w=60), lamp("b"), lamp("c", nominal_w="60"), lamp("d", nominal_w=True)])
    np.testing.assert_array_equal(fleet.attribute("nominal_w"), [60.0, np.nan, np.nan, np.nan])


def test_places_are_columns_too() -> None:
    fleet = Fleet([Device("a", "traffic", lat=2.5, lon=99.5), Device("b", "traffic")])
    np.testing.assert_array_equal(fleet.attribute("lat"), [2.5, np.nan])
    np.testing.assert_array_equal(fleet.attribute("lon"), [99.5, np.nan])


def test_an_empty_fleet_has_empty_columns() -> None:
    assert Fleet().attribute("nominal_w").shape == (0,)
