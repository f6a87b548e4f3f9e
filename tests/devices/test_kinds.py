"""Every kind declares what design and documents promise of it: units, ranges, roll-ups, labels, derived values."""

from __future__ import annotations

import numpy as np
import pytest

from devices.kind import DIAGNOSTICS, Attributes, Kind, Label, Metric, Reading
from devices.kinds import KINDS

# kind, metric: unit (UCUM), low, high, roll-up. Ranges: the hard ranges of the domain notes.
DECLARED = {
    "streetlight": {
        "power_w": ("W", 0, 1000, "gauge"),
        "voltage_v": ("V", 0, 300, "gauge"),
        "current_a": ("A", 0, 10, "gauge"),
        "power_factor": ("1", -1, 1, "gauge"),
        "dimming_pct": ("%", 0, 100, "gauge"),
        "energy_wh": ("W.h", 0, 1e9, "counter"),
        "operating_h": ("h", 0, 1e6, "counter"),
        "switch_count": ("1", 0, 1e7, "counter"),
        "temperature_c": ("Cel", -20, 110, "gauge"),
    },
    "water_level": {
        "level_m": ("m", -5, 20, "gauge"),
        "distance_m": ("m", 0.15, 30, "gauge"),
        "rain_mm": ("mm", 0, 50, "sum"),
        "temperature_c": ("Cel", -20, 80, "gauge"),
    },
    "traffic": {
        "period_s": ("s", 1, 86_400, "gauge"),
        "count": ("{vehicle}", 0, 108_000, "sum"),
        "speed_kmh": ("km/h", 0, 200, "gauge"),
        "occupancy_pct": ("%", 0, 100, "gauge"),
        "headway_s": ("s", 0, 86_400, "gauge"),
        "count_motorcycle": ("{vehicle}", 0, 108_000, "sum"),
        "count_car": ("{vehicle}", 0, 108_000, "sum"),
        "count_heavy": ("{vehicle}", 0, 108_000, "sum"),
        "flow_vph": ("{vehicle}/h", 0, 6_000, "gauge"),
    },
}
every_metric = pytest.mark.parametrize(
    ("kind", "metric"), [(k, m) for k, metrics in DECLARED.items() for m in metrics], ids=lambda x: x
)


def columns(kind: str, **given: list[float | None]) -> dict[str, np.ndarray]:
    size = len(next(iter(given.values())))
    absent = [None] * size
    return {name: np.array(given.get(name, absent), dtype=np.float64) for name in KINDS[kind].numbers}


def attribute(**given: list[float | None]):
    """A device attribute per row, as the fleet gives it."""

    def of(name: str) -> np.ndarray:
        return np.array(given[name], dtype=np.float64)

    return of


def test_the_three_kinds_are_found_by_their_files() -> None:
    assert KINDS.keys() >= DECLARED.keys()
    assert all(kind.name == name for name, kind in KINDS.items())


@pytest.mark.parametrize("kind", DECLARED)
def test_a_kind_has_every_metric_of_the_design_and_no_other(kind: str) -> None:
    assert set(KINDS[kind].metrics) == set(DECLARED[kind])


@every_metric
def test_a_metric_has_unit_range_and_rollup(kind: str, metric: str) -> None:
    declared = KINDS[kind].metrics[metric]
    assert declared.name == metric
    assert (declared.unit, declared.low, declared.high, declared.rollup) == DECLARED[kind][metric]


@every_metric
def test_a_metric_has_labels_in_both_languages(kind: str, metric: str) -> None:
    label = KINDS[kind].metrics[metric].label
    assert label.id.strip()
    assert label.en.strip()


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_keeps_the_contract(kind: Kind) -> None:
    assert kind.label.id.strip()
    assert kind.label.en.strip()
    assert kind.primary in kind.metrics
    assert kind.interval_s > 0
    assert len({metric.label.id for metric in kind.metrics.values()}) == len(kind.metrics), "two metrics, one label"
    for metric in kind.metrics.values():
        assert metric.low < metric.high
        assert metric.decimals >= 0
    assert set(DIAGNOSTICS) | {"ts", "seq", "boot", "fw"} <= kind.wire_fields
    assert set(kind.numbers) == set(kind.metrics) | set(DIAGNOSTICS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_derived_metrics_are_not_read_from_the_wire(kind: Kind) -> None:
    for name, metric in kind.metrics.items():
        assert (name in kind.wire_fields) is not metric.derived


def test_speed_is_averaged_by_the_vehicles_it_was_measured_on() -> None:
    assert KINDS["traffic"].metrics["speed_kmh"].weight == "count"


class TestLevelFromDistance:
    def level(self, **rows: list[float | None]) -> list[float]:
        sensor = rows.pop("sensor_to_datum_m")
        values = columns("water_level", **rows)
        return KINDS["water_level"].derive(values, attribute(sensor_to_datum_m=sensor))["level_m"].tolist()

    def test_is_sensor_height_less_distance(self) -> None:
        assert self.level(sensor_to_datum_m=[7.0], distance_m=[4.312]) == pytest.approx([2.688])

    def test_may_be_below_datum(self) -> None:
        assert self.level(sensor_to_datum_m=[3.0], distance_m=[5.09]) == pytest.approx([-2.09])

    def test_replaces_a_level_sent_beside_the_distance(self) -> None:
        assert self.level(sensor_to_datum_m=[7.0], distance_m=[4.0], level_m=[99.0]) == [3.0]

    def test_leaves_a_sent_level_where_sensor_or_distance_is_unknown(self) -> None:
        level = self.level(sensor_to_datum_m=[None, 7.0], distance_m=[4.0, None], level_m=[1.5, 2.5])
        assert level == [1.5, 2.5]

    def test_is_unknown_where_nothing_is_known(self) -> None:
        assert np.isnan(self.level(sensor_to_datum_m=[None], distance_m=[4.0])[0])


class TestFlow:
    def flow(self, **rows: list[float | None]) -> list[float]:
        return KINDS["traffic"].derive(columns("traffic", **rows), attribute())["flow_vph"].tolist()

    def test_is_vehicles_an_hour(self) -> None:
        assert self.flow(count=[112, 0], period_s=[300, 300]) == [1344, 0]

    @pytest.mark.parametrize(("count", "period_s"), [(None, 300), (112, None), (112, 0), (112, -300)])
    def test_is_unknown_without_count_and_a_positive_period(self, count: float | None, period_s: float | None) -> None:
        assert np.isnan(self.flow(count=[count], period_s=[period_s])[0])


class TestImpossibleTraffic:
    def beyond(self, **rows: list[float | None]) -> dict[str, list[bool]]:
        found = KINDS["traffic"].impossible(columns("traffic", **rows))
        return {name: mask.tolist() for name, mask in found.items()}

    def test_more_vehicles_than_the_period_holds(self) -> None:
        # 300 s / 0.8 s = 375; 10 s / 0.8 s = 12.5, rounded up.
        found = self.beyond(period_s=[300, 300, 10, 10], count=[375, 376, 13, 14])
        assert found["count"] == [False, True, False, True]

    def test_a_headway_longer_than_the_period(self) -> None:
        assert self.beyond(period_s=[300, 300], headway_s=[300, 300.1])["headway_s"] == [False, True]

    def test_what_is_missing_is_not_impossible(self) -> None:
        found = self.beyond(period_s=[None, 300], count=[9999, None])
        assert found == {"count": [False, False], "headway_s": [False, False]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "Lampu"}, "'Lampu' is no name"),
        ({"name": "a" * 42}, "41 at most"),
        ({"primary": "lumen"}, "primary metric 'lumen'"),
    ],
)
def test_a_wrong_declaration_is_refused_when_it_is_made(change: dict[str, str], told: str) -> None:
    right = {"name": "odd", "primary": "power_w"}
    with pytest.raises(ValueError, match=told):
        Kind(
            label=Label("Aneh", "Odd"),
            reading=KINDS["streetlight"].reading,
            attributes=Attributes,
            interval_s=60,
            **{**right, **change},
        )


def test_a_metric_without_its_weight_is_refused() -> None:
    from typing import Annotated

    class Lonely(Reading):
        speed: Annotated[float | None, Metric("km/h", 0, 200, Label("Laju", "Speed"), weight="count")] = None

    with pytest.raises(ValueError, match="weighted by unknown 'count'"):
        Kind("lonely", Label("Sepi", "Lonely"), Lonely, Attributes, 60, "speed")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_can_be_the_key_of_a_cache(kind: Kind) -> None:
    assert {kind: kind.name}[kind] == kind.name
