"""The one writer: ONE transaction holds readings, latest values, ledger, quarantine, roll-up marks, alerts and notices.

Writing the same batch twice changes nothing but the count of duplicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psycopg
from pydantic_core import to_json

from alerts.engine import Evaluated, Transition
from devices.batch import Batch, Quarantined, QuarantineReason, Readings, utc
from devices.checks_memory import Learnt
from devices.kind import Bools
from storage import flavour, review
from storage.alert_write import write_states, write_transitions
from storage.announce import announce
from storage.copy_binary import Column, array, integers, optional_integers, texts, times
from storage.kind_tables import STEPS, reading_table
from storage.ledger import HOUR_US, Ledger, Outcome, write_ledger
from storage.ledger_marks import Marks
from storage.quarantine import write_quarantine
from storage.quarantine_replay import Waiting, close, same_again
from storage.readings import Stored, write_readings

LATEST = """
INSERT INTO latest AS l (device_id, kind, ts, received_at, seq, boot, qc, qc_reason, "values", checks)
SELECT device_id, %s, ts, received_at, seq, boot, qc, qc_reason, "values"::jsonb, checks
FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[], %s::int8[], %s::text[], %s::int2[], %s::int4[],
            %s::text[], %s::bytea[]) AS t(device_id, ts, received_at, seq, boot, qc, qc_reason, "values", checks)
ON CONFLICT (device_id) DO UPDATE SET
    kind = excluded.kind, ts = excluded.ts, received_at = excluded.received_at, seq = excluded.seq,
    boot = excluded.boot, qc = excluded.qc, qc_reason = excluded.qc_reason, "values" = excluded."values",
    checks = excluded.checks
WHERE l.ts < excluded.ts
"""
MARK = """
INSERT INTO rollup_mark (kind, bucket, device_id) SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::text[])
"""
BUCKET_US = 300 * 1_000_000
DAY_US = 24 * HOUR_US


class Written(NamedTuple):
    """What one commit held. quarantined: for which reasons, those of a device or day past the cap too."""

    counts: dict[Outcome, int]
    quarantined: Counter[QuarantineReason]
    transitions: Sequence[tuple[int, Transition]]
    readings: Sequence[tuple[Readings, Stored]] = ()


@dataclass
class Writer:
    """A connection to write with; remembers which partitions exist."""

    conn: psycopg.AsyncConnection[Any]
    quarantine_cap: int
    notice_severity: int
    weeks: set[tuple[str, datetime]] = field(default_factory=set)
    marks: Marks = field(default_factory=Marks)

    async def write(
        self,
        batch: Batch,
        evaluated: Evaluated,
        now: datetime,
        learnt: Sequence[Learnt] = (),
        replayed: Waiting | None = None,
    ) -> Written:
        """Commit a batch, and what the checks of quality learnt from it. Raises psycopg.Error with nothing written.

        replayed: the quarantine entry that the batch was, which ends with it. Raises GoneError if it has ended already.
        """
        await self._make_partitions(batch.readings)
        try:
            return await self._commit(batch, evaluated, now, learnt, replayed)
        except psycopg.errors.CheckViolation:
            # No partition for a row: retention has dropped one that we made and remember.
            self.weeks.clear()
            await self._make_partitions(batch.readings)
            return await self._commit(batch, evaluated, now, learnt, replayed)

    async def _commit(
        self, batch: Batch, evaluated: Evaluated, now: datetime, learnt: Sequence[Learnt], replayed: Waiting | None
    ) -> Written:
        ledger = Ledger()
        of_kind = {each.kind.name: each for each in learnt}
        async with self.conn.transaction():
            conflicts: list[Quarantined] = []
            outcomes: list[tuple[Readings, Stored]] = []
            late = _gone_live(evaluated.transitions)
            for number, readings in enumerate(batch.readings):
                outcome = await write_readings(self.conn, readings)
                outcomes.append((readings, outcome))
                _count(ledger, readings, outcome.stored, "stored")
                _count(ledger, readings, outcome.duplicate, "duplicate")
                conflicts += (_conflict(readings, row) for row in outcome.conflict)
                await self._write_latest(readings, outcome.stored, of_kind.get(readings.kind.name))
                await self._mark(readings, outcome.stored)
                if evaluated.passed:
                    _spans(late, readings, outcome.stored, evaluated.passed[number])
            refused = [*batch.quarantined, *conflicts]
            again = same_again(replayed, refused) if replayed else None
            origin = replayed.id if replayed else None
            refused = [each for each in refused if each is not again]
            await write_quarantine(self.conn, refused, self.quarantine_cap, ledger, origin)
            if replayed:
                await close(self.conn, replayed, ledger, again, now)
            await write_ledger(self.conn, ledger)
            marked = await self.marks.write(self.conn, ledger, now)
            await write_states(self.conn, evaluated.states)
            await review.mark(self.conn, late)
            moved = await write_transitions(self.conn, evaluated.transitions, now)
            await announce(self.conn, moved, self.notice_severity)
        self.marks.remember(marked)
        reasons = Counter(each.reason for each in refused)
        return Written(ledger.total, reasons, [(each.number, each.transition) for each in moved], outcomes)

    async def _make_partitions(self, batch: Sequence[Readings]) -> None:
        """Any accepted time finds its partition. Before the transaction: a partition is never rolled back."""
        for readings in batch:
            table = reading_table(readings.kind)
            days = _different(readings.ts_us // DAY_US)
            weeks = {flavour.start_of(utc(day * DAY_US), STEPS["raw"]) for day in days}
            missing = {week for week in weeks if (table, week) not in self.weeks}
            await flavour.make_partitions(self.conn, table, missing, STEPS["raw"])
            self.weeks |= {(table, week) for week in missing}

    async def _write_latest(self, readings: Readings, stored: Sequence[int], learnt: Learnt | None) -> None:
        rows = _newest(readings, np.asarray(stored, dtype=np.intp))
        if not rows:
            return
        values = [
            readings.kind.name,
            array(texts([readings.device_id[row] for row in rows]), "text"),
            array(times(readings.ts_us[rows]), "timestamptz"),
            array(times(readings.received_us[rows]), "timestamptz"),
            array(optional_integers([readings.seq[row] for row in rows]), "int8"),
            array(texts([readings.boot[row] for row in rows]), "text"),
            array(integers(readings.qc[rows], 2), "int2"),
            array(integers(readings.reason[rows], 4), "int4"),
            array(texts(_values(readings, rows)), "text"),
            array(_remembered(learnt, readings.device[rows]), "bytea"),
        ]
        await self.conn.execute(LATEST, values)

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


def _gone_live(transitions: Sequence[Transition]) -> dict[str, tuple[datetime, datetime]]:
    """Devices with an alert that late data had raised and that stands after all: from then on it is told as of now."""
    return {each.key.device_id: (each.event_at, each.event_at) for each in transitions if each.what == "went_live"}


def _spans(
    found: dict[str, tuple[datetime, datetime]], readings: Readings, stored: Sequence[int], passed: Bools
) -> None:
    """Add, by device, the times between which such readings were stored."""
    for row in (row for row in stored if passed[row]):
        at, device = readings.ts(row), readings.device_id[row]
        first, last = found.get(device, (at, at))
        found[device] = min(first, at), max(last, at)


def _different(values: npt.NDArray[np.int64]) -> list[int]:
    found: list[int] = np.unique(values).tolist()
    return found


def _newest(readings: Readings, rows: npt.NDArray[np.intp]) -> list[int]:
    """Of these rows the newest of each device, by device id: two writers that share a line cannot deadlock."""
    by_device = rows[np.lexsort((readings.ts_us[rows], readings.device[rows]))]
    device = readings.device[by_device]
    newest: list[int] = by_device[np.append(device[1:] != device[:-1], True)[: len(device)]].tolist()
    return sorted(newest, key=readings.device_id.__getitem__)


def _count(ledger: Ledger, readings: Readings, rows: Sequence[int], outcome: Outcome) -> None:
    """Count rows into their ledger lines."""
    if not rows:
        return
    chosen = np.asarray(rows, dtype=np.intp)
    hour_us = readings.ts_us[chosen] // HOUR_US * HOUR_US
    order = np.lexsort((hour_us, readings.device[chosen]))
    device, hour_us = readings.device[chosen[order]], hour_us[order]
    first = np.flatnonzero(np.append(True, (device[1:] != device[:-1]) | (hour_us[1:] != hour_us[:-1])))
    numbers = np.diff(np.append(first, len(order)))
    device_ids = [readings.device_id[row] for row in chosen[order[first]].tolist()]
    ledger.count_lines(device_ids, hour_us[first].tolist(), outcome, numbers.tolist())


def _values(readings: Readings, rows: Sequence[int]) -> list[str]:
    """The values of readings as `latest` keeps them; NaN is null."""
    names = (*readings.numbers, "fw")
    columns = [column[rows].tolist() for column in readings.numbers.values()]
    told = zip(*columns, [readings.fw[row] for row in rows], strict=True)
    return [to_json(dict(zip(names, each, strict=True)), inf_nan_mode="null").decode() for each in told]


def _remembered(learnt: Learnt | None, device: npt.NDArray[np.int64]) -> Column:
    """What the checks remember of these devices, as bytes; NULL of a kind without any."""
    if learnt is None:
        return Column(np.empty((len(device), 0), dtype=np.uint8), np.full(len(device), -1, dtype=np.int32))
    cells = learnt.stored(device)
    return Column(cells, np.full(len(device), cells.shape[1], dtype=np.int32))


def _conflict(readings: Readings, row: int) -> Quarantined:
    """Same device and time as a stored reading, other values: the first stays, this one waits for a person."""
    return Quarantined(
        reason="conflict",
        device_id=readings.device_id[row],
        topic=readings.packet[row].topic,
        payload=readings.payload(row),
        detail="another reading with the same ts and other values is stored",
        received_at=readings.received_at(row),
        hour_of=readings.ts(row),
    )
