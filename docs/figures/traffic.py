"""A week on one street, kinds of days, and the fundamental diagram."""

from __future__ import annotations

import numpy as np
from figures.shared import (
    BLUE,
    DAY_S,
    GREEN,
    GREY,
    HOUR_S,
    MONDAY,
    ORANGE,
    PURPLE,
    RED,
    SEED,
    Array,
    Row,
    clock,
    grid,
    hhmm,
    of_kind,
    wib,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.physics import demand, traffic

PERIOD_S = 300.0
T = MONDAY + np.arange(PERIOD_S, 7 * DAY_S + 1, PERIOD_S)  # ends of the periods of a week
MIDDLE = T - PERIOD_S / 2 - MONDAY
DAY, HOUR = (MIDDLE // DAY_S).astype(int), MIDDLE % DAY_S / HOUR_S
DAYS = ["Monday 16 November 2026", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
PEAKS, WINDOWS = (7.25, 12.5, 17.0), ((6, 8), (11, 13), (16, 18))
Counted = dict[str, Array]


def draw(figure: Figure) -> list[Row]:
    panels = figure.subplot_mosaic([["flow"] * 3, ["speed"] * 3, ["profile", "density", "branches"]])
    devices = of_kind("traffic")
    fitted, shown = traffic.detectors_of(devices, SEED), [d.id for d in devices].index("tr-imam-bonjol-1")
    row, t = grid(np.arange(len(devices)), T)
    found = traffic.measure(fitted, row, t, np.full(len(t), PERIOD_S))
    found = {name: column.reshape(len(devices), -1) for name, column in found.items()}
    one = {name: column[shown] for name, column in found.items()}
    _week(panels["flow"], panels["speed"], fitted, shown, one)
    _profiles(panels["profile"])
    _diagrams(panels["density"], panels["branches"], fitted, shown, one)
    return [*_city(fitted, found), _queue(fitted, shown, one)]


def _week(flow: Axes, speed: Axes, fitted: traffic.Detectors, shown: int, one: Counted) -> None:
    x, vph = MIDDLE / DAY_S, one["count"] * HOUR_S / PERIOD_S
    expected = traffic.state(fitted, np.full(len(T), shown), MIDDLE + MONDAY).flow
    capacity, free = fitted.capacity[shown], fitted.free_flow_kmh[shown]
    flow.plot(x, vph, color=BLUE, lw=0.8, label="counted in 5 min")
    flow.plot(x, expected, color="black", lw=1, alpha=0.7, label="expected")
    flow.axhline(capacity, color=GREEN, ls="--", label=f"capacity: 1,600 pcu/h = {capacity:,.0f} vehicles/h")
    flow.axhline(fitted.discharge[shown], color=RED, ls="--", label="what the queue's bottleneck lets through")
    speed.plot(x, one["speed_kmh"], color=ORANGE, lw=0.8, label="mean of 5 min")
    speed.axhline(free, color=GREEN, ls="--", label=f"free flow: {free:.0f} km/h")
    for axes in (flow, speed):
        for at in (day + peak / 24 for day in range(7) for peak in PEAKS):
            axes.axvline(at, color=GREY, lw=0.8, ls=":", label="07:15, 12:30, 17:00" if at < 0.5 else "")
        axes.axvspan(4 + 12 / 24, 4 + 13.5 / 24, color=PURPLE, alpha=0.15, label="Friday prayer, 12:00-13:30")
        axes.set_xticks(np.arange(0.5, 7.5), DAYS)
        axes.set_xlim(0, 7)
    flow.set(title="Jl. Imam Bonjol, lane 1: a week of flow", ylabel="vehicles/h", ylim=(0, 1.4 * vph.max()))
    flow.legend(loc="upper right", ncols=6)
    speed.set(title="The same week: speed, and the queues of evenings", ylabel="km/h", ylim=(0, 58))
    speed.legend(loc="upper right", ncols=4)


def _profiles(axes: Axes) -> None:
    hour = np.arange(0, 24, 1 / 60)
    days = {
        "working day": (MONDAY, BLUE),
        "Friday": (MONDAY + 4 * DAY_S, PURPLE),
        "Saturday": (MONDAY + 5 * DAY_S, GREEN),
        "Sunday, holiday": (MONDAY + 6 * DAY_S, ORANGE),
        "fasting month": (wib(2026, 3, 3), RED),
    }
    for name, (begin, colour) in days.items():
        axes.plot(hour, demand.profile(begin + hour * HOUR_S), color=colour, lw=1.6, label=name)
    for begin, end in WINDOWS:
        axes.axvspan(begin, end, color=GREY, alpha=0.18, label="survey windows of studies" if begin == 6 else "")
    axes.set(title="Demand by kind of day", ylabel="share of the evening peak", xlim=(0, 24), ylim=(0, 1.55))
    clock(axes, range(0, 25, 4))
    axes.legend(loc="upper left", ncols=2)


def _diagrams(density: Axes, branches: Axes, fitted: traffic.Detectors, shown: int, one: Counted) -> None:
    some = one["count"] > 0
    q, v = (one["count"] * fitted.pcu[shown] * HOUR_S / PERIOD_S)[some], one["speed_kmh"][some]
    free, capacity = fitted.free_flow_kmh[shown], traffic.CAPACITY_PCU
    jam, wave = traffic.JAM_PCU_KM, traffic.WAVE_KMH
    k = np.linspace(0, jam, 500)
    label = f"triangle: free flow {free:.0f}, wave {wave:.0f} km/h,\njam {jam:.0f} pcu/km, {capacity:,.0f} pcu/h"
    density.plot(k, np.minimum(np.minimum(free * k, capacity), wave * (jam - k)), color="black", lw=1.5, label=label)
    density.plot(q / v, q, ".", color=BLUE, ms=3, alpha=0.5, label="5 min, simulated")
    density.set(title="Flow and density", xlabel="pcu/km", ylabel="pcu/h", xlim=(0, 145), ylim=(0, 2500))
    density.legend(loc="upper right")
    queued = np.linspace(1, capacity, 200)
    branches.plot([0, capacity], [free, free], color="black", lw=1.5, label="free")
    branches.plot(queued, np.minimum(queued / (jam - queued / wave), free), color="black", ls="--", label="queue")
    branches.plot(q, v, ".", color=ORANGE, ms=3, alpha=0.5, label="5 min, simulated")
    branches.set(title="Flow and speed", xlabel="pcu/h", ylabel="km/h", xlim=(0, 2000), ylim=(0, 58))
    branches.legend(loc="upper right", ncols=3)


def _city(fitted: traffic.Detectors, found: Counted) -> list[Row]:
    total = found["count"].sum(axis=0)
    working = np.convolve(np.mean([total[d == DAY] for d in range(4)], axis=0), np.ones(9) / 9, mode="same")
    hours = HOUR[DAY == 0]
    near = [np.abs(hours - peak) < 2 for peak in PEAKS]
    peaks = ", ".join(hhmm(hours[window][working[window].argmax()]) for window in near)
    expected = traffic.state(fitted, *grid(np.arange(len(fitted)), MIDDLE + MONDAY)).flow.reshape(len(fitted), -1) / 12
    many, some = expected > 20, found["count"] > 0
    dispersion = ((found["count"] - expected)[many] ** 2 / expected[many]).mean()
    occupied = (found["occupancy_pct"] / 100 * 1000 * found["speed_kmh"] * PERIOD_S / HOUR_S)[some].sum()
    return [
        Row("morning, midday, evening peak", "07:15, 12:30, 17:00 (surveys: 06-08, 11-13, 16-18)", peaks),
        Row("motorcycles", "65 to 75 % of vehicles", f"{found['count_motorcycle'].sum() / total.sum():.0%}"),
        Row("capacity of a lane", "1,500 to 1,650 pcu/h (MKJI 1997: 1,650)", f"{traffic.CAPACITY_PCU:,.0f} pcu/h"),
        Row("variance of counts over their mean", "1.5 (negative binomial)", f"{dispersion:.2f}"),
        Row("effective length of a vehicle", "3.5 m in mixed traffic", f"{occupied / total.sum():.1f} m"),
        Row("Friday 12:18-12:54", "a dip during prayer", f"{_share(total, 4, 12.3, 12.9):.0%} of other working days"),
        Row("Saturday 06:30-08:00", "schools, few offices", f"{_share(total, 5, 6.5, 8):.0%} of working days"),
        Row("Sunday 06:30-08:00", "later and lighter", f"{_share(total, 6, 6.5, 8):.0%} of working days"),
    ]


def _share(total: Array, day: int, begin: float, end: float) -> float:
    """What passes at these hours of a day, against Monday to Thursday."""
    hours = (begin <= HOUR) & (end > HOUR)
    return float(4 * total[hours & (day == DAY)].sum() / total[hours & (DAY < 4)].sum())


def _queue(fitted: traffic.Detectors, shown: int, one: Counted) -> Row:
    speed = np.median(one["speed_kmh"][(DAY == 1) & (HOUR > 17.25) & (HOUR < 18.5)])
    return Row("speed in a queue, Jl. Imam Bonjol", "15 km/h at level of service F (KM 14/2006)",
               f"{speed:.0f} km/h, {speed / fitted.free_flow_kmh[shown]:.2f} of free flow")  # fmt: skip
