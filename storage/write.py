"""The one writer: ONE transaction holds readings, latest values, ledger, quarantine, roll-up marks, alerts and notices.

Writing the same batch twice changes nothing but the count of duplicates.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import procrastinate
import psycopg

from alerts.engine import Evaluated, Transition
from alerts.notices import wants_notice
from devices.batch import Batch, Quarantined, Readings, utc
from devices.payload import encode
from storage import flavour, outbox
from storage.alert_write import write_states, write_transitions
from storage.kind_tables import reading_table
from storage.ledger import Ledger, Outcome, write_ledger
from storage.quarantine import write_quarantine
from storage.readings import write_readings

LATEST = """
INSERT INTO latest AS l (device_id, kind, ts, received_at, seq, boot, qc, qc_reason, "values")
SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::int8[], %s::text[],
                     %s::int2[], %s::int4[], %s::jsonb[])
ON CONFLICT (device_id) DO UPDATE SET
    kind = excluded.kind, ts = excluded.ts, received_at = excluded.received_at, seq = excluded.seq,
    boot = excluded.boot, qc = excluded.qc, qc_reason = excluded.qc_reason, "values" = excluded."values"
WHERE l.ts < excluded.ts
"""
MARK = """
INSERT INTO rollup_mark (kind, bucket, device_id) SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::text[])
"""
BUCKET_US = 300 * 1_000_000
HOUR_US = 3_600 * 1_000_000
DAY_US = 24 * HOUR_US


class Written(NamedTuple):
    """What one commit held."""

    counts: dict[Outcome, int]
    transitions: Sequence[tuple[int, Transition]]


@dataclass
class Writer:
    """A connection to write with; remembers which partitions exist."""

    conn: psycopg.AsyncConnection[Any]
    jobs: procrastinate.App
    quarantine_cap: int
    notice_severity: int
    hypertables: bool
    weeks: set[tuple[str, datetime]] = field(default_factory=set)

    async def write(self, batch: Batch, evaluated: Evaluated, now: datetime) -> Written:
        """Commit a batch. Raises psycopg.Error with nothing written."""
        await self._make_partitions(batch.readings)
        try:
            return await self._commit(batch, evaluated, now)
        except psycopg.errors.CheckViolation:
            # No partition for a row: retention has dropped one that we made and remember.
            self.weeks.clear()
            await self._make_partitions(batch.readings)
            return await self._commit(batch, evaluated, now)

    async def _commit(self, batch: Batch, evaluated: Evaluated, now: datetime) -> Written:
        ledger = Ledger()
        async with self.conn.transaction():
            conflicts: list[Quarantined] = []
            for readings in batch.readings:
                outcome = await write_readings(self.conn, readings)
                _count(ledger, readings, outcome.stored, "stored")
                _count(ledger, readings, outcome.duplicate, "duplicate")
                conflicts += (_conflict(readings, row) for row in outcome.conflict)
                await self._write_latest(readings, outcome.stored)
                await self._mark(readings, outcome.stored)
            await write_quarantine(self.conn, [*batch.quarantined, *conflicts], self.quarantine_cap, ledger)
            await write_ledger(self.conn, ledger)
            await write_states(self.conn, evaluated.states)
            transitions = await write_transitions(self.conn, evaluated.transitions, now)
            for number, transition in transitions:
                if wants_notice(transition, self.notice_severity):
                    await outbox.defer_notice(self.jobs, self.conn, number)
        return Written(ledger.total, transitions)

    async def _make_partitions(self, batch: Sequence[Readings]) -> None:
        """Any accepted time finds its partition. Before the transaction: a partition is never rolled back."""
        if self.hypertables:
            return
        for readings in batch:
            table = reading_table(readings.kind)
            weeks = {(table, flavour.week_of(utc(day * DAY_US))) for day in _different(readings.ts_us // DAY_US)}
            for name, week in sorted(weeks - self.weeks):
                await flavour.make_partition(self.conn, name, week)
                self.weeks.add((name, week))

    async def _write_latest(self, readings: Readings, stored: Sequence[int]) -> None:
        rows = _newest(readings, np.asarray(stored, dtype=np.intp))
        if not rows:
            return
        numbers = {name: column[rows].tolist() for name, column in readings.numbers.items()}
        columns: list[list[Any]] = [
            [readings.device_id[row] for row in rows],
            [readings.kind.name] * len(rows),
            [readings.ts(row) for row in rows],
            [readings.received_at(row) for row in rows],
            [readings.seq[row] for row in rows],
            [readings.boot[row] for row in rows],
            readings.qc[rows].tolist(),
            readings.reason[rows].tolist(),
            [_values(numbers, at, readings.fw[row]) for at, row in enumerate(rows)],
        ]
        await self.conn.execute(LATEST, columns)

    async def _mark(self, readings: Readings, stored: Sequence[int]) -> None:
        """Remember which buckets changed: whole ones for live data, a device's own for late data."""
        rows = np.asarray(stored, dtype=np.intp)
        buckets = readings.ts_us[rows] // BUCKET_US * BUCKET_US
        late = readings.late[rows]
        marks: list[tuple[int, str | None]] = [(bucket, None) for bucket in _different(buckets[~late])]
        own = zip(buckets[late].tolist(), rows[late].tolist(), strict=True)
        marks += sorted({(bucket, readings.device_id[row]) for bucket, row in own})
        if marks:
            times = [utc(bucket) for bucket, _ in marks]
            kind = [readings.kind.name] * len(marks)
            await self.conn.execute(MARK, (kind, times, [device for _, device in marks]))


def _different(values: npt.NDArray[np.int64]) -> list[int]:
    found: list[int] = np.unique(values).tolist()
    return found


def _newest(readings: Readings, rows: npt.NDArray[np.intp]) -> list[int]:
    """Of these rows the newest of each device, by device id: two writers that share a line cannot deadlock."""
    by_device = rows[np.lexsort((readings.ts_us[rows], readings.device[rows]))]
    device = readings.device[by_device]
    newest: list[int] = by_device[np.append(device[1:] != device[:-1], True)[: len(device)]].tolist()
    return sorted(newest, key=lambda row: readings.device_id[row])


def _count(ledger: Ledger, readings: Readings, rows: Sequence[int], outcome: Outcome) -> None:
    """Count rows into their ledger lines, one call a line."""
    if not rows:
        return
    chosen = np.asarray(rows, dtype=np.intp)
    chosen = chosen[np.lexsort((readings.ts_us[chosen], readings.device[chosen]))]
    device, hour = readings.device[chosen], readings.ts_us[chosen] // HOUR_US
    edges = np.flatnonzero((device[1:] != device[:-1]) | (hour[1:] != hour[:-1])) + 1
    for start, end in pairwise([0, *edges.tolist(), len(chosen)]):
        row = int(chosen[start])
        ledger.count(readings.device_id[row], readings.ts(row), outcome, end - start)


def _values(numbers: dict[str, list[float]], at: int, fw: str | None) -> str:
    """The values of one reading as `latest` keeps them; NaN is null."""
    values = {name: None if value != value else value for name, value in ((n, c[at]) for n, c in numbers.items())}
    return json.dumps(values | {"fw": fw}, ensure_ascii=False, allow_nan=False)


def _conflict(readings: Readings, row: int) -> Quarantined:
    """Same device and time as a stored reading, other values: the first stays, this one waits for a person."""
    return Quarantined(
        reason="conflict",
        device_id=readings.device_id[row],
        topic=readings.packet[row].topic,
        payload=encode(readings.item[row]),
        detail="another reading with the same ts and other values is stored",
        received_at=readings.received_at(row),
        hour_of=readings.ts(row),
    )
