"""Every reading of the truth looked for in the database, and what is not there in the ledger's missing ranges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from devices.kinds import KINDS
from siaga.client import Client, MissingRange
from simulator.truth.folder import Told, Truth
from storage.kind_tables import reading_table
from tests.failure.world import World

EPOCH, MS = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
# The ledger answers for 31 days at once; a run has one, and clocks that are off by hours.
AROUND = timedelta(days=1)
Boot = tuple[str, str]  # of a device


class Account(NamedTuple):
    """readings: that must be stored, all of them acknowledged. lost: of them, not stored. named: of the lost, in a
    range of missing numbers. edge: of the lost, after the last that is stored of their boot, before the first of a
    device's first boot, or without a number: nothing that is stored tells of them."""

    readings: int
    lost: int
    named: int
    edge: int


def take(world: World, truth: Truth) -> Account:
    """As it is now."""
    account = Account(0, 0, 0, 0)
    with world.connect() as conn, world.stack.client() as api:
        for kind in KINDS.values():
            query = f"SELECT device_id, ts, boot, seq FROM {reading_table(kind)}"
            rows = conn.execute(query.encode()).fetchall()
            there = {(device, (ts - EPOCH) // MS) for device, ts, _, _ in rows}
            spans = _spans(rows)
            told = {(row.device_id, row.ts_ms): row for row in truth.rows(kind.name) if row.outcome == "stored"}
            lost = [row for key, row in told.items() if key not in there]
            inner = [row for row in lost if _is_within(row, spans)]
            named = _named(api, inner)
            account = Account(
                *map(sum, zip(account, (len(told), len(lost), named, len(lost) - len(inner)), strict=True))
            )
    return account


def _spans(rows: Iterable[tuple[str, datetime, str | None, int | None]]) -> dict[Boot, tuple[int, int]]:
    """Of each boot the first number that is known to be used, 0 if it came after another boot, and the last."""
    numbers: defaultdict[Boot, list[tuple[int, datetime]]] = defaultdict(list)
    since: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
    for device, ts, boot, seq in rows:
        if boot is not None and seq is not None:
            numbers[device, boot].append((seq, ts))
            since[device][boot] = min(ts, since[device].get(boot, ts))
    spans = {}
    for (device, boot), told in numbers.items():
        (low, at), (high, _) = min(told), max(told)
        follows = any(other != boot and began < at for other, began in since[device].items())
        spans[device, boot] = (0 if follows else low), high
    return spans


def _is_within(row: Told, spans: Mapping[Boot, tuple[int, int]]) -> bool:
    if row.boot is None or row.seq is None:
        return False
    low, high = spans.get((row.device_id, row.boot), (0, -1))
    return low <= row.seq < high


def _named(api: Client, lost: Iterable[Told]) -> int:
    """How many of these are in the ranges that the API tells."""
    of_device: defaultdict[str, list[Told]] = defaultdict(list)
    for row in lost:
        of_device[row.device_id].append(row)
    return sum(_named_of(api, device, rows) for device, rows in of_device.items())


def _named_of(api: Client, device: str, rows: list[Told]) -> int:
    times = [EPOCH + row.ts_ms * MS for row in rows if row.ts_ms is not None]
    ranges = api.missing(device, since=min(times) - AROUND, until=max(times) + AROUND)
    return sum(any(_has(each, row) for each in ranges) for row in rows)


def _has(missing: MissingRange, row: Told) -> bool:
    return row.seq is not None and missing.boot == row.boot and missing.first <= row.seq <= missing.last
