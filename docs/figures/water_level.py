"""Floods of the Silau and the Asahan, the unit hydrograph behind them, and the tide."""

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
    note,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.physics import rain, tide
from simulator.physics.rivers import INDEX, OPENING, REACHES, SITES, Rivers, nakayasu, time_lag_h

START = MONDAY + DAY_S + 20 * HOUR_S  # of a run whose opening is the flood of the Silau
T = START - 8 * HOUR_S + np.arange(0, 60 * HOUR_S, 300.0)
HOUR = (T - MONDAY - DAY_S) / HOUR_S
# A rare storm over the hills of the upper Asahan.
OVER_ASAHAN = OPENING._replace(begin=START - 6 * HOUR_S, depth_mm=120.0, lat=2.58, lon=99.30)
SILAU = {"buntu-pane": BLUE, "tinggi-raja": GREEN, "kisaran-barat": ORANGE}
ASAHAN = {"bandar-pulau": BLUE, "pulau-rakyat": ORANGE, "simpang-empat": PURPLE}
Levels = dict[str, Array]


def draw(figure: Figure) -> list[Row]:
    axes = figure.subplots(3, 2, width_ratios=(2, 1))
    silau = Rivers(SEED, START, seeded=False)
    asahan = Rivers(SEED, START, opening=False, seeded=False, storms=[OVER_ASAHAN])
    level = _cascade(axes[0, 0], silau, SILAU, "Silau: the opening's flood on its way down")
    _cascade(axes[1, 0], asahan, ASAHAN, "Asahan: a storm of 120 mm over its upper catchment, and the tide from below")
    return [
        *_compared(axes[0, 0], silau, level),
        *_rates(axes[1, 1], level),
        _unit_hydrographs(axes[0, 1]),
        *_storms(),
        *_tide(axes[2, 0]),
        _backwater(axes[2, 1]),
    ]


def _cascade(axes: Axes, rivers: Rivers, gauges: dict[str, str], title: str) -> Levels:
    level = dict(zip(REACHES, rivers.level(*grid(np.arange(len(REACHES)), T)).reshape(len(REACHES), -1), strict=True))
    for k, (key, colour) in enumerate(gauges.items()):
        axes.plot(HOUR, level[key], color=colour, lw=2, label=SITES[key].name)
        peak = level[key].argmax()
        axes.plot(HOUR[peak], level[key][peak], "v", color=colour, ms=8)
        for siaga, bound in zip((3, 2, 1), SITES[key].bounds, strict=True):
            axes.axhline(bound, color=colour, ls=":", lw=0.9)
            axes.text(HOUR[0] + 0.2 + 1.1 * k, bound, f"S{siaga}", color=colour, va="bottom", fontsize=8.5)
    top = next(iter(gauges))
    mm = rivers.rain_mm(np.full(len(T), INDEX[top]), T - 300, T).reshape(-1, 6).sum(axis=1)
    above = axes.twinx()
    above.bar(HOUR[::6] + 0.25, mm, width=0.5, color=GREY, alpha=0.6, label=f"rain at {SITES[top].name}")
    above.set(ylim=(4 * mm.max(), 0), ylabel="mm in 30 min")
    above.grid(visible=False)
    low, high = axes.get_ylim()
    axes.set(title=title, ylabel="m above datum", xlim=(HOUR[0], HOUR[-1]), ylim=(low, high + 0.35 * (high - low)))
    clock(axes, range(12, 73, 6))
    both = zip(axes.get_legend_handles_labels(), above.get_legend_handles_labels(), strict=True)
    axes.legend(*(a + b for a, b in both), loc="upper right", title="dotted S3, S2, S1: bounds of siaga")
    return level


def _compared(axes: Axes, rivers: Rivers, level: Levels) -> list[Row]:
    upper, lower = level["buntu-pane"], level["kisaran-barat"]
    lag_h, left = HOUR[lower.argmax()] - HOUR[upper.argmax()], np.ptp(lower) / np.ptp(upper)
    rained = rivers.rain_mm(np.full(len(T), INDEX["buntu-pane"]), T - 300, T)
    first_h = HOUR[np.flatnonzero(upper > upper[0] + 0.1)[0]] - HOUR[np.flatnonzero(rained)[0]]
    note(axes, 0.2, 0.95, f"peak to peak {lag_h:.1f} h (published 2-4 h)\n{left:.2f} of the rise is left (0.7-0.9)\n"
                            f"10 cm up {first_h:.1f} h after the rain began (2.5 h)")  # fmt: skip
    return [
        Row(
            "peak to peak, Buntu Pane to Kisaran",
            "2 to 4 h (Wear: 1.75 to 3.25 h from gauge to gauge)",
            f"{lag_h:.1f} h",
        ),
        Row("rise left at Kisaran", "0.7 to 0.9 (Wear: 1.44, 1.36, 1.10 m)", f"{left:.2f}"),
        Row("rain to first rise at Buntu Pane", "about 2.5 h (BPBD Asahan, 17 June 2020)", f"{first_h:.1f} h to 10 cm"),
    ]


def _rates(axes: Axes, level: Levels) -> list[Row]:
    rows = []
    for key in ("buntu-pane", "kisaran-barat"):
        name, rate = SITES[key].name, np.diff(level[key]) * HOUR_S / 300
        axes.plot(HOUR[1:], rate, color=SILAU[key], lw=2, label=name)
        rows += [
            Row(
                f"steepest rise, {name}",
                "0.3 to 1.7 m/h in fast floods (Jakarta, January 2020)",
                f"{rate.max():.2f} m/h",
            ),
            Row(f"steepest fall, {name}", "3 to 5 times slower than the rise", f"{rate.max() / -rate.min():.1f} times"),
        ]
    axes.axhspan(0.3, 1.7, color=GREEN, alpha=0.1, label="published for the steepest rise: 0.3-1.7 m/h")
    axes.axhline(0, color="black", lw=0.8)
    axes.set(title="Silau: rate of change", ylabel="m/h", xlim=(HOUR[0], HOUR[-1]), ylim=(-0.4, 2.2))
    clock(axes, range(12, 73, 12))
    axes.legend(loc="upper right")
    return rows


def _unit_hydrographs(axes: Axes) -> Row:
    hours = np.arange(0, 48, 0.02)
    for name, area, length, colour in (("Buntu Pane, 500 km2, 60 km (assumed)", 500.0, 60.0, BLUE),
                                       ("Piasa, 150 km2, 28 km (assumed)", 150.0, 28.0, GREEN),
                                       ("Temon, 44.62 km2, 15.26 km", 44.62, 15.26, RED)):  # fmt: skip
        axes.plot(hours, nakayasu(area, length, hours) / area, color=colour, lw=2, label=name)
        axes.axvline(1.4 * time_lag_h(length), color=colour, ls=":", lw=1)
    lag_h = time_lag_h(15.26)
    axes.set(
        title="HSS Nakayasu: 1 mm of effective rain", xlabel="h", ylabel="m3/s per km2", xlim=(0, 48), ylim=(0, 0.085)
    )
    axes.legend(loc="upper right")
    note(axes, 0.33, 0.6, f"dotted: Tp = Tg + 0.8 Tr = 1.4 Tg\nTemon: Tg {lag_h:.3f} h (published 1.285 h)")
    return Row("Tg of the Temon, 44.62 km2 and 15.26 km", "1.285 h (worked example of HSS Nakayasu)", f"{lag_h:.3f} h")


def _storms() -> list[Row]:
    day = int((MONDAY + rain.WIB_S) // DAY_S)
    storms = rain.storms(SEED, day - 3650, day)
    depth, runoff = np.array([s.depth_mm for s in storms]), np.array([s.runoff for s in storms])
    hours, heavy = np.array([s.duration_s / HOUR_S for s in storms]), (depth >= 50).sum() / 10
    most = f"{heavy:.0f} a year, {depth.max():.0f} mm at most"
    return [
        Row("depth of a storm", "15 mm on average", f"{depth.mean():.1f} mm"),
        Row("days of heavy rain in the hills", "50 to 100 mm (class of BMKG)", most),
        Row("duration of a storm", "2 to 7 h, evening and night", f"{hours.min():.1f} to {hours.max():.1f} h"),
        Row("runoff coefficient", "0.2 on dry to 0.7 on wet soil", f"{runoff.min():.2f} to {runoff.max():.2f}"),
    ]  # fmt: skip


def _tide(axes: Axes) -> list[Row]:
    t = MONDAY + np.arange(0, 30 * DAY_S, 600.0)
    axes.plot((t - MONDAY) / DAY_S, tide.at_mouth(t), color=BLUE, lw=0.9, label="Bagan Asahan, simulated")
    for metres, colour, name in ((3.9, RED, "spring"), (1.1, GREEN, "neap")):
        label = f"published {name} range {metres} m"
        for sign in (-1, 1):
            axes.axhline(sign * metres / 2, color=colour, ls="--", lw=1.3, label=label if sign > 0 else "")
    year = tide.at_mouth(MONDAY + np.arange(0, 354 * DAY_S, 600.0))
    # The range of each half day, and of every fortnight of them the two days of springs and the two of neaps.
    half = np.ptp(year[: len(year) // 75 * 75].reshape(-1, 75), axis=1)
    fortnight = np.sort(half[: len(half) // 28 * 28].reshape(-1, 28), axis=1)
    spring, neap = fortnight[:, -4:].mean(), fortnight[:, :4].mean()
    period_h = len(year) / 6 / np.abs(np.fft.rfft(year - year.mean())).argmax()
    axes.set(title="Tide at the mouth: M2, S2, N2, K1, O1", xlabel="days", ylabel="m above mean sea level",
             xlim=(0, 30), ylim=(-3.4, 3.4))  # fmt: skip
    axes.legend(loc="upper right", ncols=3)
    note(axes, 0.012, 0.11, f"means of a year: spring {spring:.1f} m, neap {neap:.1f} m")
    return [
        Row("tidal range at springs", "3.9 m (Bagan Asahan, Dishidros 2002)", f"{spring:.1f} m"),
        Row("tidal range at neaps", "1.1 m (the same)", f"{neap:.1f} m"),
        Row("strongest period of the tide", "12.42 h: semidiurnal (the same)", f"{period_h:.2f} h"),
    ]


def _backwater(axes: Axes) -> Row:
    t, km = MONDAY + np.arange(0, 15 * DAY_S, 600.0), np.arange(0, 81, 1.0)
    whole = np.ptp(tide.at_mouth(t))
    for name, m3s, colour in (("low river", 0.0, BLUE), ("flood, 500 m3/s at Simpang Empat", 500.0, ORANGE)):
        left = [np.ptp(tide.upstream(t, float(x), np.full_like(t, m3s), 500.0)) / whole for x in km]
        axes.plot(km, left, color=colour, lw=2, label=name)
    axes.plot(km, np.exp(-km / 15), color="black", ls="--", lw=1, label="exp(-x / 15 km)")
    for key in ("simpang-empat", "pulau-rakyat"):
        at = REACHES[key].tide_km or 0.0
        axes.axvline(at, color=GREY, ls=":")
        axes.text(at + 1, 0.35, SITES[key].name.split(" di ")[1], rotation=90, fontsize=9, color="#444444")
    axes.set(title="What of the tide goes upstream", xlabel="km from the mouth", ylabel="share of the range",
             xlim=(0, 80), ylim=(0, 1.15))  # fmt: skip
    axes.legend(loc="upper right")
    at_25 = np.ptp(tide.upstream(t, 25.0, np.zeros_like(t), 500.0)) / whole
    return Row("tide left at Simpang Empat, 25 km up", "exp(-25/15) = 0.19", f"{at_25:.2f}")
