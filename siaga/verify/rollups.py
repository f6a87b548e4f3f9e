"""Rollups computed once more from the readings, in another way than the server does. Pure.

Over all raw rows of a bucket at once, whatever its length; the server makes hours and days from five minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from devices.kind import Bools, Floats, Kind, Metric
from devices.quality import Quality
from siaga.verify.pairs import pair
from siaga.verify.report import EPOCH, Finding
from storage.audit import Ints, Rows
from storage.kind_tables import rollup_columns, rollup_table

FIVE_MINUTES_US, HOUR_US = 300_000_000, 3_600_000_000
# Sums in another order; the absolute part is for those that nearly cancel out.
TOLERANCE = 1e-9


def rolled(kind: Kind, size: str, zone: ZoneInfo, rows: Rows, before: Mapping[str, Floats]) -> Rows:
    """The rollup of readings; before: the last trusted value of each counter ahead of them, by device."""
    buckets = bucket_starts(rows.at_us, size, zone)
    first = _first(rows.device, buckets)
    trusted = rows.whole["qc"] <= Quality.NOT_EVALUATED
    numbers: dict[str, Floats] = {}
    for name, metric in kind.metrics.items():
        valid = trusted & ~np.isnan(rows.numbers[name])
        earlier = before.get(name, np.empty(0))
        numbers |= _of_metric(metric, rows, valid, first, earlier)
    ends = np.append(first[1:], len(rows))
    good = np.add.reduceat(trusted.astype(np.int64), first) if len(first) else np.empty(0, dtype=np.int64)
    return Rows(rows.device[first], buckets[first], {"n": ends - first, "n_good": good}, numbers, {})


def compare(kind: Kind, size: str, devices: Sequence[str], wanted: Rows, there: Rows) -> Iterator[Finding]:
    """Rollup rows that are missing, extra or different from what the readings give."""
    table = rollup_table(kind, size)
    pairs = pair(wanted.places(), there.places())
    for row in pairs.only_left:
        detail = f"readings there: {wanted.whole['n'][row]}"
        yield Finding("missing", table, devices[wanted.device[row]], int(wanted.at_us[row]), detail)
    for row in pairs.only_right:
        yield Finding("extra", table, devices[there.device[row]], int(there.at_us[row]), "readings there: 0")
    mine, theirs = pairs.left, pairs.right
    wrong: dict[str, Bools] = {n: c[mine] != there.whole[n][theirs] for n, c in wanted.whole.items()}
    for name, column in wanted.numbers.items():
        wrong[name] = ~np.isclose(
            column[mine], there.numbers[name][theirs], rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
        )
    for i in np.flatnonzero(np.any(list(wrong.values()), axis=0)):
        words = [
            f"{name} is {_value(there, name, theirs[i])}, its readings give {_value(wanted, name, mine[i])}"
            for name, differs in wrong.items()
            if differs[i]
        ]
        row = mine[i]
        yield Finding("different", table, devices[wanted.device[row]], int(wanted.at_us[row]), "; ".join(words))


def bucket_starts(at_us: Ints, size: str, zone: ZoneInfo) -> Ints:
    """When the bucket of each time begins: 5m and 1h of UTC, 1d on the wall clock of the zone."""
    if size == "1h":
        return at_us // HOUR_US * HOUR_US
    fine = at_us // FIVE_MINUTES_US * FIVE_MINUTES_US
    if size == "5m":
        return fine
    known, inverse = np.unique(fine, return_inverse=True)
    return np.array([_day(int(start), zone) for start in known], dtype=np.int64)[inverse]


def _day(at_us: int, zone: ZoneInfo) -> int:
    date = (EPOCH + timedelta(microseconds=at_us)).astimezone(zone).date()
    midnight = datetime(date.year, date.month, date.day, tzinfo=zone)
    return (midnight.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def _first(device: Ints, buckets: Ints) -> Ints:
    """Where each group of rows begins; rows are in order of device and time."""
    changes = (device[1:] != device[:-1]) | (buckets[1:] != buckets[:-1])
    return np.flatnonzero(np.concatenate([np.ones(min(len(device), 1), dtype=np.bool_), changes]))


def _of_metric(metric: Metric, rows: Rows, valid: Bools, first: Ints, before: Floats) -> dict[str, Floats]:
    value = rows.numbers[metric.name]
    columns: dict[str, Floats] = {}
    for column in rollup_columns(metric):
        match column.removeprefix(f"{metric.name}_"):
            case "avg":
                weight = _weight(metric, rows)
                total = _sum(weight, valid, first)
                columns[column] = _sum(value * weight, valid, first) / np.where(total == 0, np.nan, total)
            case "w":
                columns[column] = _sum(_weight(metric, rows), valid, first)
            case "min":
                columns[column] = _reduced(np.fmin, value, valid, first)
            case "max":
                columns[column] = _reduced(np.fmax, value, valid, first)
            case "sum":
                columns[column] = _sum(value, valid, first)
            case "last":
                columns[column] = _last(value, valid, first)
            case "delta":
                increments = _increments(value, valid, rows.device, before)
                columns[column] = _sum(increments, ~np.isnan(increments), first)
            case other:
                raise ValueError(f"no way is known to compute {other} of {metric.name}")
    return columns


def _weight(metric: Metric, rows: Rows) -> Floats:
    if metric.weight is None:
        return np.ones(len(rows))
    weight = rows.numbers[metric.weight]
    return np.where(np.isnan(weight), 1.0, weight)


def _sum(value: Floats, valid: Bools, first: Ints) -> Floats:
    """By group; NaN where nothing is valid."""
    if len(first) == 0:
        return np.empty(0)
    total = np.add.reduceat(np.where(valid, value, 0.0), first)
    return np.where(np.logical_or.reduceat(valid, first), total, np.nan)


def _reduced(extreme: np.ufunc, value: Floats, valid: Bools, first: Ints) -> Floats:
    if len(first) == 0:
        return np.empty(0)
    return np.asarray(extreme.reduceat(np.where(valid, value, np.nan), first), dtype=np.float64)


def _last(value: Floats, valid: Bools, first: Ints) -> Floats:
    if len(first) == 0:
        return np.empty(0)
    row = np.maximum.reduceat(np.where(valid, np.arange(len(value)), -1), first)
    return np.where(row >= 0, value[row], np.nan)


def _increments(value: Floats, valid: Bools, device: Ints, before: Floats) -> Floats:
    """From the valid value before to each valid one, NaN for the others; a drop is a reset and starts from 0."""
    rows = np.flatnonzero(valid)
    now, owner = value[rows], device[rows]
    was = np.concatenate([[np.nan], now[:-1]])[: len(now)]
    begins = np.concatenate([[True], owner[1:] != owner[:-1]])[: len(now)]
    was[begins] = before[owner[begins]]
    increments = np.full(len(value), np.nan)
    increments[rows] = np.where(now < was, now, now - was)
    return increments


def _value(rows: Rows, name: str, row: int) -> str:
    if name in rows.whole:
        return str(rows.whole[name][row])
    number = float(rows.numbers[name][row])
    return "null" if np.isnan(number) else repr(number)
