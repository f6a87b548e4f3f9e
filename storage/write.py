"""The one writer: ONE transaction holds readings, latest values, ledger, quarantine, roll-up marks, alerts and notices.

Writing the same batch twice changes nothing but the count of duplicates.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import procrastinate
import psycopg

from alerts.engine import Evaluated, Transition
from alerts.notices import wants_notice
from devices.batch import Batch, Quarantined, Readings
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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
                for row in outcome.stored:
                    ledger.count(readings.device_id[row], readings.ts[row], "stored")
                for row in outcome.duplicate:
                    ledger.count(readings.device_id[row], readings.ts[row], "duplicate")
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
            weeks = {(table, flavour.week_of(ts)) for ts in readings.ts}
            for name, week in sorted(weeks - self.weeks):
                await flavour.make_partition(self.conn, name, week)
                self.weeks.add((name, week))

    async def _write_latest(self, readings: Readings, stored: Sequence[int]) -> None:
        newest: dict[str, int] = {}
        for row in stored:
            other = newest.get(readings.device_id[row])
            if other is None or readings.ts_us[row] > readings.ts_us[other]:
                newest[readings.device_id[row]] = row
        rows = sorted(newest.values(), key=lambda row: readings.device_id[row])
        if not rows:
            return
        columns: list[list[Any]] = [
            [values[row] for row in rows]
            for values in (
                readings.device_id, [readings.kind.name] * len(readings), readings.ts, readings.received_at,
                readings.seq, readings.boot, readings.qc.tolist(), readings.reason.tolist(),
            )
        ]  # fmt: skip
        columns.append([_values(readings, row) for row in rows])
        await self.conn.execute(LATEST, columns)

    async def _mark(self, readings: Readings, stored: Sequence[int]) -> None:
        """Remember which buckets changed: whole ones for live data, a device's own for late data."""
        rows = np.asarray(stored, dtype=np.intp)
        buckets = (readings.ts_us[rows] // BUCKET_US * BUCKET_US).tolist()
        late = readings.late[rows].tolist()
        marks: set[tuple[int, str | None]] = {
            (bucket, readings.device_id[row] if is_late else None)
            for row, bucket, is_late in zip(stored, buckets, late, strict=True)
        }
        if marks:
            listed = sorted(marks, key=lambda mark: (mark[0], mark[1] or ""))
            times = [_EPOCH + timedelta(microseconds=bucket) for bucket, _ in listed]
            kind = [readings.kind.name] * len(listed)
            await self.conn.execute(MARK, (kind, times, [device for _, device in listed]))


def _values(readings: Readings, row: int) -> str:
    values = {name: _number(column[row]) for name, column in readings.numbers.items()}
    return json.dumps(values | {"fw": readings.fw[row]}, ensure_ascii=False, allow_nan=False)


def _number(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None


def _conflict(readings: Readings, row: int) -> Quarantined:
    """Same device and time as a stored reading, other values: the first stays, this one waits for a person."""
    return Quarantined(
        reason="conflict",
        device_id=readings.device_id[row],
        topic=readings.topic[row],
        payload=encode(readings.item[row]),
        detail="another reading with the same ts and other values is stored",
        received_at=readings.received_at[row],
        hour_of=readings.ts[row],
    )
