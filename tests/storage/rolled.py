"""What the rollups must hold, worked out from raw rows in plain Python, and how to bring them there."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from devices.kind import Kind, Metric
from devices.kinds import KINDS
from storage.kind_tables import BUCKETS, reading_table, rollup_table
from storage.rollup import Drained, drain_own, drain_whole

WIB = ZoneInfo("Asia/Jakarta")
Row = dict[str, Any]
Rolled = dict[tuple[str, datetime], Row]


def bucket_of(size: str, zone: ZoneInfo) -> Callable[[datetime], datetime]:
    """The start of the bucket of a time."""

    def day(ts: datetime) -> datetime:
        return datetime.combine(ts.astimezone(zone), datetime.min.time(), zone).astimezone(UTC)

    return {
        "5m": lambda ts: ts - timedelta(minutes=ts.minute % 5, seconds=ts.second, microseconds=ts.microsecond),
        "1h": lambda ts: ts.replace(minute=0, second=0, microsecond=0),
        "1d": day,
    }[size]


async def drain(conn: psycopg.AsyncConnection[Any], zone: ZoneInfo = WIB, limit: int = 500) -> int:
    """Drain all marks; how many rollup rows changed. A kind that somebody else is at is left to them."""
    changed = 0
    for kind in KINDS.values():
        for take in (drain_whole, drain_own):
            done: Drained | None = Drained(0, True)
            while done and done.more:
                done = await take(conn, kind, zone, limit)
                changed += done.changed if done else 0
    return changed


async def stored(conn: psycopg.AsyncConnection[Any], kind: Kind, size: str) -> Rolled:
    """A rollup table, by device and bucket."""
    table = sql.Identifier(rollup_table(kind, size))
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.SQL("SELECT * FROM {}").format(table))
        return {(row.pop("device_id"), row.pop("bucket")): row async for row in cursor}


async def expected(conn: psycopg.AsyncConnection[Any], kind: Kind, size: str, zone: ZoneInfo = WIB) -> Rolled:
    """The same from the readings."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        table = sql.Identifier(reading_table(kind))
        await cursor.execute(sql.SQL("SELECT * FROM {} ORDER BY device_id, ts").format(table))
        rows = await cursor.fetchall()
    start = bucket_of(size, zone)
    grouped: defaultdict[tuple[str, datetime], list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["device_id"], start(row["ts"])].append(row)
    rolled = {key: _aggregates(kind, group) for key, group in grouped.items()}
    for metric in kind.metrics.values():
        if metric.rollup == "counter":
            for key, delta in _deltas(metric, rows, start).items():
                rolled[key][f"{metric.name}_delta"] = delta
    return rolled


async def assert_rolled(conn: psycopg.AsyncConnection[Any], zone: ZoneInfo = WIB) -> None:
    """Every rollup of every kind equals the aggregate of its raw rows."""
    for kind in KINDS.values():
        for size in BUCKETS:
            there, wanted = await stored(conn, kind, size), await expected(conn, kind, size, zone)
            assert there.keys() == wanted.keys(), (kind.name, size)
            for key, row in wanted.items():
                wrong = {
                    name: (there[key][name], value) for name, value in row.items() if differ(there[key][name], value)
                }
                assert not wrong, (kind.name, size, key, wrong)


def differ(a: float | None, b: float | None) -> bool:
    return a != b if a is None or b is None else not math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


def _good(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["qc"] in (1, 2)]


def _aggregates(kind: Kind, rows: Sequence[Row]) -> Row:
    good = _good(rows)
    found: Row = {"n": len(rows), "n_good": len(good)}
    for name, metric in kind.metrics.items():
        values = [row[name] for row in good if row[name] is not None]
        last = values[-1] if values else None
        if metric.rollup == "sum":
            found[f"{name}_sum"] = sum(values) if values else None
        elif metric.rollup == "counter":
            found |= {f"{name}_last": last, f"{name}_delta": None}
        elif metric.rollup == "state":
            found[f"{name}_last"] = last
        else:
            found |= {
                f"{name}_avg": _average(metric, good), f"{name}_w": _weight(metric, good), f"{name}_last": last,
                f"{name}_min": min(values, default=None), f"{name}_max": max(values, default=None),
            }  # fmt: skip
    return found


def _weights(metric: Metric, good: Iterable[Row]) -> list[tuple[float, float]]:
    """(value, weight) of rows with a value; one without its weight counts once."""
    pairs = []
    for row in good:
        weight = 1.0 if metric.weight is None or row[metric.weight] is None else row[metric.weight]
        if row[metric.name] is not None:
            pairs.append((row[metric.name], weight))
    return pairs


def _weight(metric: Metric, good: Iterable[Row]) -> float | None:
    pairs = _weights(metric, good)
    return sum(weight for _, weight in pairs) if pairs else None


def _average(metric: Metric, good: Iterable[Row]) -> float | None:
    pairs = _weights(metric, good)
    total = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / total if total else None


def _deltas(
    metric: Metric, rows: Iterable[Row], start: Callable[[datetime], datetime]
) -> dict[tuple[str, datetime], float]:
    """Increments between neighbours with a value, in the bucket of the later one; a drop starts from 0."""
    found: defaultdict[tuple[str, datetime], float] = defaultdict(float)
    for before, after in pairwise(row for row in _good(rows) if row[metric.name] is not None):
        if before["device_id"] == after["device_id"]:
            was, now = before[metric.name], after[metric.name]
            found[after["device_id"], start(after["ts"])] += now if now < was else now - was
    return found
