"""A year of nights and one night of streetlights."""

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
    RED,
    SEED,
    Array,
    Row,
    clock,
    grid,
    hhmm,
    note,
    of_kind,
    wib,
)
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.physics import lamps, night
from simulator.physics.lamp_duty import DIM, SURGE, moment, power_w
from simulator.physics.lamp_faults import Fault

# NOAA solar equations as computed by astral 3.2: day of 2026, sunrise and sunset.
SUN = {"15 January": (14, "06:31", "18:30"), "15 April": (104, "06:16", "18:27"), "15 July": (195, "06:19", "18:36"),
       "15 October": (287, "06:05", "18:09")}  # fmt: skip
DAY_H = 11.97, 12.31  # shortest and longest day of 2026, the same
BURNING_H = 4320
DAYS = np.arange(365)


def draw(figure: Figure) -> list[Row]:
    axes = figure.subplots(2, 3)
    fitted = lamps.lamps_of(of_kind("streetlight"), SEED)
    year = int(night.night_of(np.array([wib(2026, 1, 1, 12)]))[0][0]) + DAYS
    return [
        *_sun(axes[0, 0], year),
        *_hours(axes[0, 1], axes[0, 2], fitted, year),
        *_one_night(axes[1, 0], axes[1, 1], fitted),
        _running_up(axes[1, 2], fitted),
    ]


def _sun(axes: Axes, year: Array) -> list[Row]:
    sunset, sunrise = 12 + night.sunset()[year] / HOUR_S, night.sunrise()[year - 1] / HOUR_S - 12
    axes.plot(DAYS, sunset - 12, color=ORANGE, label="sunset less 12 h, simulated")
    axes.plot(DAYS, sunrise, color=BLUE, label="sunrise, simulated")
    label = "published (NOAA, astral 3.2)"
    for at, *times in SUN.values():
        for text, less in zip(times, (0, 12), strict=True):
            axes.plot(at, int(text[:2]) + int(text[3:]) / 60 - less, "o", mfc="none", mec="black", ms=9, label=label)
            label = ""
    axes.set(title="Sun at Kisaran, 2026", xlabel="day of the year", ylabel="WIB", xlim=(0, 365), ylim=(6, 6.8))
    axes.set_yticks(np.arange(6, 6.76, 0.25), ["06:00", "06:15", "06:30", "06:45"])
    axes.legend(loc="upper right")
    return [
        Row(f"sunrise, sunset {name}", f"{rise}, {fall} (NOAA equations, astral 3.2)",
            f"{hhmm(sunrise[at])}, {hhmm(sunset[at])}")
        for name, (at, rise, fall) in SUN.items()
    ]  # fmt: skip


def _hours(each: Axes, total: Axes, fitted: lamps.Lamps, year: Array) -> list[Row]:
    sound = np.flatnonzero(fitted.fault == Fault.NONE)
    noons = night.FIRST_NOON + np.append(year, year[-1] + 1) * float(DAY_S)
    counted = lamps.measure(fitted, *grid(sound, noons))["operating_h"].reshape(len(sound), -1)
    hours, dark = np.diff(counted, axis=1), (night.sunrise() - night.sunset())[year] / HOUR_S
    low, middle, high = np.percentile(hours, [5, 50, 95], axis=0)
    each.axhspan(
        24 - DAY_H[1], 24 - DAY_H[0], color=GREY, alpha=0.25, label="published: 24 h less days of 11.97-12.31 h"
    )
    each.fill_between(DAYS, low, high, color=ORANGE, alpha=0.15, lw=0, label="9 lamps of 10: spread of photocells")
    each.plot(middle, ".", color=ORANGE, ms=3.5, label="median lamp: longer after cloudy evenings")
    each.plot(dark, color=BLUE, lw=2, label="sunset to sunrise")
    each.set(title="Hours lit in each night", xlabel="day of the year", ylabel="h", xlim=(0, 365), ylim=(11.4, 12.75))
    each.legend(loc="upper right")
    mean = hours.sum(axis=1).mean()
    total.hist(hours.sum(axis=1), bins=30, color=ORANGE, alpha=0.7)
    total.axvline(BURNING_H, color="black", ls="--", label=f"published: about {BURNING_H:,} h")
    total.axvline(mean, color=RED, label=f"simulated: {mean:,.0f} h on average")
    total.set(title="Hours lit in the year, sound lamps", xlabel="h", ylabel="lamps")
    total.margins(y=0.25)
    total.legend(loc="upper right")
    return [
        Row("shortest, longest night", f"{24 - DAY_H[1]:.2f}, {24 - DAY_H[0]:.2f} h (the same)",
            f"{dark.min():.2f}, {dark.max():.2f} h"),
        Row("hours lit in a year", f"about {BURNING_H:,} h; 4,380 h at 12 h a night", f"{mean:,.0f} h"),
    ]  # fmt: skip


def _one_night(power: Axes, volts: Axes, fitted: lamps.Lamps) -> list[Row]:
    t = MONDAY + np.arange(0, 1.5 * DAY_S, 60.0)
    hour, every = (t - MONDAY) / HOUR_S, np.arange(len(fitted))
    found = {name: c.reshape(len(every), -1) for name, c in lamps.measure(fitted, *grid(every, t)).items()}
    sound, old = fitted.fault == Fault.NONE, fitted.duty.surge_w > 0
    shown = (
        ("LED", sound & ~old, BLUE),
        ("discharge lamp", sound & old, ORANGE),
        ("day burner", fitted.fault == Fault.DAY_BURNER, RED),
        ("broken driver", fitted.fault == Fault.DRIVER, GREY),
    )
    for name, which, colour in shown:
        i = np.flatnonzero(which)[0]
        power.plot(hour, 100 * found["power_w"][i] / fitted.duty.nominal_w[i], color=colour, lw=1.3, label=name)
    share = 100 * float(power_w(np.array([90.0]), np.array([DIM]))[0]) / 90
    power.axhline(share, color="black", ls=":", lw=1)
    power.set(title="One night: power", ylabel="% of nominal", xlim=(16, 32), ylim=(0, 150))
    clock(power, range(16, 33, 2))
    power.legend(loc="upper right", ncols=2)
    note(power, 0.36, 0.4, f"dotted: {share:.0f} % of power\nat 70 % light, 22:00-05:00")

    ends = np.flatnonzero(sound)[fitted.drop_v[sound].argsort()[[0, -1]]]
    weak = np.flatnonzero(fitted.fault == Fault.LOW_VOLTAGE)[0]
    for name, i, colour in (("next to the panel", ends[0], BLUE), ("end of a long feeder", ends[1], ORANGE),
                            ("weak feeder (fault)", weak, RED)):  # fmt: skip
        volts.plot(hour, found["voltage_v"][i], color=colour, lw=0.9, label=name)
    volts.axhspan(198, 231, color=GREEN, alpha=0.1, label="SPLN 1: 198-231 V")
    volts.set(title="The same night: voltage", ylabel="V", xlim=(8, 32), ylim=(175, 245))
    clock(volts, range(8, 33, 4))
    volts.legend(loc="upper right", ncols=2)
    span = np.ptp(found["voltage_v"][ends[0]][: DAY_S // 60].reshape(-1, 5).mean(axis=1))
    note(volts, 0.03, 0.11, f"a day next to the panel spans {span:.1f} V; published 7 V (SLightliMon)")
    lit, whole = found["dimming_pct"] > 0, found["voltage_v"][sound]
    switched = np.diff(found["switch_count"][sound][:, [720, -1]], axis=1)
    return [
        Row("voltage span of a day next to the panel", "7 V (a cabinet of SLightliMon)", f"{span:.1f} V"),
        Row("voltage of sound lamps", "198 to 231 V (SPLN 1)", f"{whole.min():.0f} to {whole.max():.0f} V"),
        Row("power factor of sound lamps while lit", "above 0.9 (procurement of LED lamps)",
            f"{found['power_factor'][sound[:, None] & lit].min():.2f} or more"),
        Row("switchings a night", "2 (on and off)", f"{switched.mean():.0f}"),
    ]  # fmt: skip


def _running_up(axes: Axes, fitted: lamps.Lamps) -> Row:
    row, s = np.flatnonzero(fitted.fault == Fault.NONE), np.arange(-60, 601, 5.0)
    on = MONDAY + DAY_S / 2 + moment(fitted.duty, row, np.full(len(row), MONDAY + 19 * HOUR_S)).on
    power, old = np.array([lamps.measure(fitted, row, on + x)["power_w"] for x in s]), fitted.duty.surge_w[row] > 0
    first = 0.0
    for name, which, colour in ((f"discharge lamps ({old.mean():.0%} of the fleet)", old, ORANGE), ("LED", ~old, BLUE)):
        share = power[:, which].sum(axis=1) / power[-1, which].sum()
        axes.plot(s / 60, share, color=colour, lw=2, label=name)
        first = max(first, share.max())
    axes.axhline(1 + SURGE, color="black", ls="--", lw=1, label="published: 6.96 / 5.49 kW = 1.27 (SLightliMon)")
    axes.set(title="Running up", xlabel="min since each lamp switched on", ylabel="power / steady power", ylim=(0, 1.5))
    axes.legend(loc="lower right")
    return Row("first draw of discharge lamps", "1.27 of the steady one (6.96 / 5.49 kW, SLightliMon)", f"{first:.2f}")
