"""Everything that is stored of one kind's devices, some devices at a time, against the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import psycopg

from siaga.verify import gaps, ledger, readings, rollups, unnamed
from siaga.verify.report import EPOCH, Finding
from siaga.verify.sent import LEAST, OfKind
from siaga.verify.window import Window
from storage import audit
from storage.kind_tables import BUCKETS

# 50 MB of Python objects on their way into columns.
ROWS_AT_ONCE = 50_000
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
# What a database and a calendar both have; no reading that ingest takes lies beyond.
EARLIEST_US, LATEST_US = -70 * 365 * DAY_US, 1_000 * 365 * DAY_US


class Span(NamedTuple):
    """Whole calendar days that hold all that is compared, and a day more on both sides: hours are whole in it too."""

    since: datetime
    until: datetime


@dataclass
class Checked:
    """Sums over the devices. buckets: rollup rows compared, by size; hours: how many readings each device
    has in each hour (µs) that touches what is asked for; excused: readings whose flags may differ, by device; shaken:
    devices whose alerts may, too."""

    findings: list[Finding] = field(default_factory=list)
    stored: int = 0
    stored_unsure: int = 0
    duplicate: int = 0
    conflict: int = 0
    extra: int = 0
    replayed: int = 0
    again: int = 0
    buckets: Counter[str] = field(default_factory=Counter)
    hours: dict[str, Counter[int]] = field(default_factory=dict)
    numbers: dict[str, unnamed.Numbers] = field(default_factory=dict)
    excused: Counter[str] = field(default_factory=Counter)
    shaken: set[str] = field(default_factory=set)


def check(
    conn: psycopg.Connection[Any], of: OfKind, window: Window, asked: Window, zone: ZoneInfo, rolled_up: bool,
    over_cap: Container[str], replayed: Mapping[str, Container[int]],
) -> Checked:  # fmt: skip
    """replayed: when what was in quarantine arrived, by device. asked: of its hours the API will be asked. rolled_up:
    nothing waits for its rollup, so rollups can be compared."""
    span = _span(of, window, zone)
    done = Checked()
    of_rollups: list[Finding] = []
    for first, beyond in _chunks(of):
        devices, sent = of.devices[first:beyond], of.sent.of(first, beyond)
        rows = audit.readings(conn, of.kind, devices, *span)
        compared = readings.compare(of.kind, devices, sent, rows, window, of.unsure.keys() | replayed.keys(), replayed)
        lines = audit.ledger(conn, devices, *span)
        counted = ledger.compare(devices, sent, rows, compared.foreign, lines, window, over_cap, replayed)
        done.findings += compared.findings + gaps.compare(of.kind, devices, sent, rows) + counted.findings
        done.stored += compared.found
        done.stored_unsure += compared.found_unsure
        done.duplicate += counted.duplicate
        done.conflict += counted.conflict
        done.extra += compared.extra
        done.replayed += compared.replayed
        done.excused += compared.excused
        done.shaken |= compared.shaken
        done.again += counted.again
        done.numbers |= unnamed.numbers(devices, sent, rows)
        done.hours |= _hours(devices, rows, asked)
        if not rolled_up:
            continue
        before = audit.counters_before(conn, of.kind, devices, span.since)
        for size in BUCKETS:
            wanted = rollups.rolled(of.kind, size, zone, rows, before)
            there = audit.rollups(conn, of.kind, size, devices, *span)
            of_rollups += rollups.compare(of.kind, size, devices, wanted, there)
            done.buckets[size] += len(wanted)
    done.findings += of_rollups
    return done


def _chunks(of: OfKind) -> Iterator[tuple[int, int]]:
    at_once = max(1, ROWS_AT_ONCE * len(of.devices) // max(1, len(of.sent.rows)))
    for first in range(0, len(of.devices), at_once):
        yield first, min(first + at_once, len(of.devices))


def _span(of: OfKind, window: Window, zone: ZoneInfo) -> Span:
    named = of.sent.rows.at_us[of.sent.rows.at_us != LEAST]
    least = min(window.since_us, int(named.min(initial=LATEST_US)))
    most = max(window.until_us, int(named.max(initial=EARLIEST_US)))
    edges = np.clip(np.array([least - DAY_US, most + 2 * DAY_US]), EARLIEST_US, LATEST_US)
    since, until = rollups.bucket_starts(edges, "1d", zone)
    return Span(EPOCH + timedelta(microseconds=int(since)), EPOCH + timedelta(microseconds=int(until)))


def _hours(devices: Sequence[str], rows: audit.Rows, window: Window) -> dict[str, Counter[int]]:
    starts = rows.at_us // HOUR_US * HOUR_US
    within = (starts + HOUR_US > window.since_us) & (starts <= window.until_us)
    hours: dict[str, Counter[int]] = {device_id: Counter() for device_id in devices}
    for device, start in zip(rows.device[within].tolist(), starts[within].tolist(), strict=True):
        hours[devices[device]][start] += 1
    return hours
