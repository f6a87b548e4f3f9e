"""What forecasts are worth on Jakarta's rivers (January 2020), beside a plain rate and a plain time to threshold.

One protocol for all: an alarm begins at a reading of which the rule says yes and of the one before it said no; it is
right when the gauge comes to Siaga 3 within 6 h; a crossing was pre-warned when an alarm began in the 6 h before, lead
is from the first of these. Crossings count where the readings around them are no more than 2 h apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import pytest

import simulator
from alerts.forecast import Bound, Forecast, Stage, forecast
from alerts.forecast_errors import MARGIN_S, QUANTILES, Spread, interval
from alerts.forecast_rise import History
from devices.kind import Bools
from simulator.replay import Row, fleet, rows
from simulator.replay_map import read_map

MAP = Path(simulator.__path__[0]) / "maps" / "jakarta_tma.toml"
RIVERS = ("katulampa", "depok", "manggarai", "karet", "krukut-hulu", "pesanggrahan", "sunter-hulu")
WITHIN_S = 6 * 3600.0
GAP_S = 2 * 3600.0
Rule = Callable[[History, Bound], Bools]


class Worth(NamedTuple):
    alarms: int
    right: int
    warned: int
    crossings: int
    lead_h: float

    @property
    def share(self) -> float:
        return self.right / self.alarms


@pytest.fixture(scope="module")
def month() -> dict[str, tuple[History, Bound]]:
    """The seven river gauges with their readings, each time once, and Siaga 3."""
    path = os.environ.get("SIAGA_TEST_JAKARTA_CSV")
    if not path:
        pytest.skip("SIAGA_TEST_JAKARTA_CSV names no copy of Jakarta's river telemetry of January 2020")
    shipped = read_map(MAP)
    levels: dict[str, dict[float, float]] = {f"wl-{name}": {} for name in RIVERS}
    for row in rows(Path(path), shipped):
        assert isinstance(row, Row)
        if row.device_id in levels:
            levels[row.device_id].setdefault(row.ts.timestamp(), row.fields["level_m"])
    bounds = {device.id: device.attributes["siaga_3_m"] for device in fleet(Path(path), shipped) if device.id in levels}
    made = {}
    for name, by_time in levels.items():
        t = np.array(sorted(by_time))
        made[name] = History(t, np.array([by_time[at] for at in t]), np.ones(len(t), bool)), Bound(3, bounds[name])
    return made


def worth(month: Mapping[str, tuple[History, Bound]], rule: Rule) -> Worth:
    alarms = right = warned = crossings = 0
    leads = []
    for history, bound in month.values():
        t, up = history.t, _crossings(history, bound)
        yes = rule(history, bound) & (history.level_m < bound.level_m)
        begun = t[yes & ~np.concatenate([[False], yes[:-1]])]
        alarms += len(begun)
        right += sum(bool(((up > at) & (up <= at + WITHIN_S)).any()) for at in begun)
        for at in up:
            before = begun[(begun >= at - WITHIN_S) & (begun < at)]
            warned += bool(len(before))
            leads += [(at - before[0]) / 3600] if len(before) else []
        crossings += len(up)
    return Worth(alarms, right, warned, crossings, median(leads))


def plain(rate_m_h: float = 0.0, within_h: float = np.inf) -> Rule:
    """The level an hour before (half an hour more or less) and now: as fast as that, and there so soon."""

    def rule(history: History, bound: Bound) -> Bools:
        before = np.searchsorted(history.t, history.t - 3600, side="right") - 1
        hours = (history.t - history.t[before]) / 3600
        known = (before >= 0) & (hours >= 0.5) & (hours <= 1.5)
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = (history.level_m - history.level_m[before]) / hours
            return known & (rate > 0) & (rate >= rate_m_h) & ((bound.level_m - history.level_m) / rate <= within_h)

    return rule


def ours(*stages: Stage) -> Rule:
    def rule(history: History, bound: Bound) -> Bools:
        said = (forecast(history, [bound], float(now), WITHIN_S, {}) for now in history.t)
        return np.array([isinstance(f, Forecast) and any(e.stage in stages for e in f.levels) for f in said])

    return rule


def test_the_plain_rules_are_worth_what_is_known_of_them(month: Mapping[str, tuple[History, Bound]]) -> None:
    found = {
        "rise 0.2": worth(month, plain(0.2)),
        "rise 0.5": worth(month, plain(0.5)),
        "within 1 h": worth(month, plain(within_h=1)),
        "within 2 h": worth(month, plain(within_h=2)),
    }
    for name, each in found.items():
        print(name, each, round(100 * each.share))
    assert found["within 1 h"][:4] == (15, 8, 7, 14)
    assert found["within 2 h"][:4] == (34, 10, 9, 14)
    assert found["rise 0.5"][:4] == (12, 5, 5, 14)


def test_both_stages_are_worth_more(month: Mapping[str, tuple[History, Bound]]) -> None:
    warning, advisory = worth(month, ours("warning")), worth(month, ours("warning", "advisory"))
    for each in (warning, advisory):
        print(each, round(100 * each.share))
    assert (warning.warned >= 7, warning.share >= 0.54, warning.lead_h >= 2 / 3) == (True, True, True)
    assert (advisory.warned >= 9, advisory.share >= 0.40) == (True, True)


def test_the_interval_holds_on_gauges_it_was_not_made_from(month: Mapping[str, tuple[History, Bound]]) -> None:
    """Each gauge in turn by the errors of the other six."""
    errors: dict[str, list[tuple[float, float]]] = {}
    for name, (history, bound) in month.items():
        up = _crossings(history, bound)
        for now in history.t:
            said = forecast(history, [bound], float(now), WITHIN_S, {})
            came = up[(up > now) & (up <= now + WITHIN_S)]
            if isinstance(said, Forecast) and said.levels and len(came):
                errors.setdefault(name, []).append((said.levels[0].after_s, float(came[0] - now)))
    covered = total = 0
    for name, own in errors.items():
        others = [pair for other in errors if other != name for pair in errors[other]]
        logs = [np.log((took + MARGIN_S) / (after + MARGIN_S)) for after, took in others]
        low, high = np.quantile(logs, QUANTILES)
        for after, took in own:
            least, most = interval(after, Spread(float(low), float(high)))
            covered += least <= took <= most
            total += 1
    print(covered, total)
    assert covered >= 0.7 * total


def _crossings(history: History, bound: Bound) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    level_m, t = history.level_m, history.t
    up = (level_m[1:] >= bound.level_m) & (level_m[:-1] < bound.level_m) & (np.diff(t) <= GAP_S)
    return t[1:][up]
