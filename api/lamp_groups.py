"""Lamps taken together as screens and files show them: what they do now, and how the night or the day went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from alerts import lit
from alerts.lit import CELL_S, HOLD_DAY_S, HOLD_NIGHT_S, STEP_S, Cells, Ints, Sun, Told
from devices.kind import Bools, Floats
from devices.sun import SUNSET_DEG, elevation_deg
from storage.as_json import time_text
from storage.streetlights import Lamp, Outage

Half = Literal["night", "day"]
# Name and, of lamps without one, district.
Group = tuple[str | None, str | None]
HALF = timedelta(hours=12)
BEGINS: Mapping[Half, time] = {"night": time(18), "day": time(6)}
COLUMNS = (
    "group", "district", "lamps", "bucket", "lit_share", "dimmed_share", "no_data_share", "should_be_lit", "dark",
)  # fmt: skip


class Times(NamedTuple):
    """since <= t < until, and how long a lamp is taken to be as it was last, s."""

    since: datetime
    until: datetime
    hold_s: int

    def read_from(self) -> datetime:
        """What a lamp told before says how it was when the time began."""
        return self.since - timedelta(seconds=self.hold_s)

    def starts(self) -> Floats:
        return np.arange(self.since.timestamp(), self.until.timestamp(), CELL_S)


class Fleet:
    """Lamps as columns, by group."""

    def __init__(self, lamps: Sequence[Lamp]) -> None:
        self.lamps = lamps
        keys: list[Group] = [(lamp.name, None if lamp.name else lamp.district) for lamp in lamps]
        self.groups = sorted(set(keys), key=lambda key: (key[0] is None, key[0] or "", key[1] or ""))
        number = {key: n for n, key in enumerate(self.groups)}
        self.group: Ints = np.array([number[key] for key in keys], dtype=np.int64)
        self.lat, self.lon = _column(lamp.lat for lamp in lamps), _column(lamp.lon for lamp in lamps)
        self.nominal_w = _column(lamp.nominal_w for lamp in lamps)
        self.size = np.bincount(self.group, minlength=len(self.groups))

    def middle(self) -> tuple[Floats, Floats]:
        """Of the lamps of each group whose place is known."""
        known = ~np.isnan(self.lat + self.lon)
        number = self._sum(known)
        with np.errstate(invalid="ignore"):
            lat, lon = (self._sum(np.where(known, at, 0)) / number for at in (self.lat, self.lon))
        return lat, lon

    def districts(self) -> list[str | None]:
        """Where most lamps of each group are."""
        found: list[Counter[str]] = [Counter() for _ in self.groups]
        for group, lamp in zip(self.group.tolist(), self.lamps, strict=True):
            if lamp.district is not None:
                found[group][lamp.district] += 1
        return [max(each, key=lambda name: (each[name], name)) if each else None for each in found]

    def now(self, at: datetime) -> dict[str, list[Any]]:
        """lit, expected, silent and power_w of each group."""
        power, dimming = _column(x.power_w for x in self.lamps), _column(x.dimming_pct for x in self.lamps)
        age = at.timestamp() - _column(x.at_s for x in self.lamps)
        down = elevation_deg(at.timestamp(), self.lat, self.lon) <= SUNSET_DEG
        # What lamps told by day stands until they must have told of the night.
        heard = (age < np.where(down, HOLD_NIGHT_S, HOLD_DAY_S)) & ~np.isnan(power)
        is_lit = lit.state_of(power, dimming, self.nominal_w) >= lit.LIT
        return {
            "lit": self._whole(is_lit & heard),
            "expected": self._whole(down),
            "silent": self._whole(~heard),
            "power_w": [round(each, 1) for each in self._sum(np.where(heard, power, 0)).tolist()],
        }

    def faults(self, standing: Iterable[tuple[str, str]]) -> list[dict[str, int]]:
        """Lamps of each group by rules that stand against them."""
        group = {lamp.id: n for lamp, n in zip(self.lamps, self.group.tolist(), strict=True)}
        found: list[Counter[str]] = [Counter() for _ in self.groups]
        for device, rule in standing:
            if device in group:
                found[group[device]][rule] += 1
        return [dict(sorted(each.items())) for each in found]

    def _sum(self, values: Any) -> Floats:
        return np.bincount(self.group, values, len(self.groups)).astype(np.float64)

    def _whole(self, mask: Bools) -> list[int]:
        return [int(each) for each in self._sum(mask)]


def times_of(told: date | None, half: Half, zone: ZoneInfo, now: datetime) -> Times:
    """The half day that begins on a date; without one the half that runs, or ran last."""
    if told is None:
        here = now.astimezone(zone)
        told = here.date() if here.time() >= BEGINS[half] else here.date() - timedelta(days=1)
    since = datetime.combine(told, BEGINS[half], zone).astimezone(UTC)
    return Times(since, since + HALF, HOLD_NIGHT_S if half == "night" else HOLD_DAY_S)


def items(
    fleet: Fleet, times: Times, told: Told, outages: Sequence[Outage], faults: Iterable[tuple[str, str]], now: datetime
) -> list[dict[str, Any]]:
    """One for each group: those that are dark first, then those with most faults, then the largest."""
    lat, lon = fleet.middle()
    starts = times.starts()
    cells = _cells(fleet, times, told)
    sun = lit.sun(starts, lat, lon)
    places = ~np.isnan(lat)
    out = (cells.out & sun.surely_down) | _in_outage(fleet.groups, starts, outages)
    past = int(np.count_nonzero(starts <= now.timestamp()))
    today, standing, districts = fleet.now(now), fleet.faults(faults), fleet.districts()
    dark = {outage.name: outage for outage in outages if outage.cleared_s is None}
    found = []
    for n, (name, _) in enumerate(fleet.groups):
        outage = dark.get(name or "")
        found.append(
            {
                "group": name,
                "district": districts[n],
                "lat": _place(lat[n]),
                "lon": _place(lon[n]),
                "lamps": int(fleet.size[n]),
                **{what: of_each[n] for what, of_each in today.items()},
                "dark_since": outage and outage.raised_at,
                "alert_id": outage and outage.id,
                "faults": standing[n],
                **_arrays(cells, sun, n, bool(places[n])),
                "dark": out[n].tolist(),
            }
        )
        for what in ("lit_share", "dimmed_share", "no_data_share", "dark"):
            found[-1][what][past:] = [None] * (len(starts) - past)
    return sorted(found, key=_urgency)


def rows(found: Iterable[Mapping[str, Any]], times: Times) -> Iterator[list[Any]]:
    """The cells that have been, a line each."""
    starts = [time_text(datetime.fromtimestamp(at, UTC)) for at in times.starts().tolist()]
    names = COLUMNS[4:]
    for item in found:
        for n, start in enumerate(starts):
            if item["lit_share"][n] is not None:
                yield [*(item[name] for name in COLUMNS[:3]), start, *(item[name][n] for name in names)]


def _cells(fleet: Fleet, times: Times, told: Told) -> Cells:
    before = times.hold_s // STEP_S
    steps = before + int((times.until - times.since).total_seconds()) // STEP_S
    states = lit.courses(told, fleet.nominal_w, steps, times.hold_s)
    return lit.cells(states[:, before:], fleet.group, len(fleet.groups))


def _arrays(cells: Cells, sun: Sun, n: int, is_placed: bool) -> dict[str, list[Any]]:
    return {
        "lit_share": np.round(cells.lit[n], 3).tolist(),
        "dimmed_share": np.round(cells.dimmed[n], 3).tolist(),
        "no_data_share": np.round(cells.no_data[n], 3).tolist(),
        "should_be_lit": sun.down[n].tolist() if is_placed else [None] * sun.down.shape[1],
    }


def _in_outage(groups: Sequence[Group], starts: Floats, outages: Iterable[Outage]) -> Bools:
    """The cells in which an outage stood."""
    number = {name: n for n, (name, _) in enumerate(groups) if name}
    found = np.zeros((len(groups), len(starts)), dtype=np.bool_)
    for outage in outages:
        if outage.name in number:
            until = np.inf if outage.cleared_s is None else outage.cleared_s
            found[number[outage.name]] |= (starts + CELL_S > outage.raised_s) & (starts < until)
    return found


def _urgency(item: Mapping[str, Any]) -> tuple[Any, ...]:
    return item["dark_since"] is None, -sum(item["faults"].values()), -item["lamps"], item["group"] or ""


def _column(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _place(degrees: float) -> float | None:
    return None if np.isnan(degrees) else round(float(degrees), 6)
