"""What the three pictures share: one fleet, one week, colours, notes and clocks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from devices.device import Device
from simulator.fleet import make_fleet

SEED, DAY_S, HOUR_S = 1, 86_400, 3_600
BLUE, ORANGE, GREEN, RED, GREY, PURPLE = "#1f6fb4", "#e07b00", "#2a8f4a", "#c8322b", "#8a8f98", "#7a4fa3"
Array = npt.NDArray[Any]
FLEET = make_fleet(2_000, SEED)


class Row(NamedTuple):
    """A line of a table: what, the published figure with its source, and the simulated one."""

    figure: str
    published: str
    simulated: str


def wib(year: int, month: int, day: int, hour: float = 0) -> float:
    """Epoch seconds of a local time."""
    return datetime(year, month, day, tzinfo=UTC).timestamp() + (hour - 7) * HOUR_S


MONDAY = wib(2026, 11, 16)


def of_kind(kind: str) -> list[Device]:
    return [device for device in FLEET if device.kind == kind]


def grid(rows: Array, t: Array) -> tuple[Array, Array]:
    """Each of these rows at each of the times."""
    return np.repeat(rows, len(t)), np.tile(t, len(rows))


def note(axes: Axes, x: float, y: float, text: str) -> None:
    """Text in a box; x and y are shares of the axes, of its upper left corner."""
    box = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": GREY, "alpha": 0.9}
    axes.text(x, y, text, transform=axes.transAxes, bbox=box, fontsize=9.5, va="top", ha="left")


def clock(axes: Axes, hours: Iterable[int]) -> None:
    axes.set_xticks(list(hours), [f"{h % 24:02d}:00" for h in hours])
    axes.set_xlabel("WIB")


def hhmm(hour: float) -> str:
    minutes = round(hour * 60)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
