"""Disks: how much is free, and for how long that lasts at the rate at which tables grow."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import datetime
from math import inf
from pathlib import Path
from typing import NamedTuple

from siaga.doctor.verdict import Verdict, ok, problem, warning
from siaga.storage_status import Line, size_text

GIB = 1 << 30
DAY_S = 86_400.0
# Below this a table has told nothing about its rate: a new part takes its first pages at once.
SPAN_MIN_DAYS = 0.5
FULL, NARROW = 0.02, 0.10
BAD_DAYS, WARN_DAYS = 7.0, 30.0
CURE = (
    "Give it a larger disk, or keep less (SIAGA_RETENTION_RAW_DAYS; `siaga storage status` shows what takes the room)."
)


class Disk(NamedTuple):
    """Bytes of the file system that holds a folder."""

    whose: str
    folder: str
    free: int
    total: int


class Growth(NamedTuple):
    """bytes_day: now; to_come: until retention takes away as much as comes, None where some is kept for ever."""

    bytes_day: float
    to_come: float | None


def disk(whose: str, folder: str) -> Disk | None:
    """None where there is no such folder on this machine, or we may not see it."""
    for place in (Path(folder), *Path(folder).parents[:-1]):
        try:
            usage = shutil.disk_usage(place)
        except PermissionError:
            continue
        except OSError:
            return None
        return Disk(whose, folder, usage.free, usage.total)
    return None


def growth(lines: Iterable[Line]) -> Growth | None:
    """From what each table takes for the days it holds; None where none holds enough days to tell."""
    bytes_day, to_come, told = 0.0, 0.0, False
    for_ever = False
    for line in lines:
        days = _days(line.use.oldest, line.use.newest)
        if days < SPAN_MIN_DAYS:
            continue
        told = True
        rate, keep = line.use.size / days, line.policy.days
        if keep == 0:
            for_ever, bytes_day = True, bytes_day + rate
        elif days < keep:
            bytes_day, to_come = bytes_day + rate, to_come + rate * (keep - days)
    return Growth(bytes_day, None if for_ever else to_come) if told else None


def judge(found: Disk, grows: Growth | None) -> Verdict:
    """grows: what grows on this disk; None where nothing is known to."""
    check = f"disk, {found.whose}"
    what = f"{size_text(found.free)} of {size_text(found.total)} free at {found.folder}"
    days = inf
    if grows and grows.bytes_day:
        lasts = grows.to_come is not None and grows.to_come < found.free
        days = inf if lasts else found.free / grows.bytes_day
        until = "enough for all that is kept" if lasts else _days_text(days)
        what += f", {size_text(grows.bytes_day)} a day: {until}"
    if found.free < FULL * found.total or days < BAD_DAYS:
        return problem(check, what, CURE)
    if found.free < min(NARROW * found.total, 20 * GIB) or days < WARN_DAYS:
        return warning(check, what, CURE)
    return ok(check, what)


def _days_text(days: float) -> str:
    return f"{days:,.0f} days" if days < 3_650 else "more than ten years"


def _days(oldest: datetime | None, newest: datetime | None) -> float:
    return (newest - oldest).total_seconds() / DAY_S if oldest and newest else 0.0
