"""Replay of quarantine entries, one entry a transaction: its readings and its end are committed together or not at all.

received_at stays the first arrival, against which a clock is judged: a reading that was from the future stays so,
however long one waits. Whether it is late is judged by now: what happened days ago must not page anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg

from alerts.engine import evaluate
from devices.batch import Batch, Packet, Readings, utc
from devices.checks import check
from devices.fleet import Fleet
from devices.quality import Reason
from ingest.decoders.choose import NATIVE_ONLY, Decoders
from ingest.ground import Ground
from ingest.intake import Limits, take_in
from ingest.trouble import is_of_the_data
from runtime.log import get_logger
from storage.quarantine_replay import GoneError, Waiting, finish, waiting
from storage.write import Written

log = get_logger(__name__)

DETAIL_MAX = 500


async def replay_waiting(
    ground: Ground,
    limits: Limits,
    regions: list[str] | None,
    most: int,
    tell: Callable[[Written], None],
    decoders: Decoders = NATIVE_ONLY,
) -> int:
    """Replay at most so many waiting entries; how many there were. Raises psycopg.Error."""
    entries = await waiting(ground.conn, regions, most)
    for entry in entries:
        now = datetime.now(UTC)
        try:
            tell(await _replay(ground, limits, decoders, entry, now))
        except GoneError:
            continue
        except psycopg.Error as error:
            if not is_of_the_data(error):
                raise
            await finish(ground.conn, entry, "open", f"{error.sqlstate}: {error}"[:DETAIL_MAX], {}, now)
    if entries:
        log.info("quarantine.replayed", entries=len(entries))
    return len(entries)


async def _replay(ground: Ground, limits: Limits, decoders: Decoders, entry: Waiting, now: datetime) -> Written:
    batch = as_batch(entry, ground.fleet, limits, now, decoders)
    checked = check(ground.memory, ground.fleet, batch.readings)
    evaluated = evaluate(ground.engine, ground.fleet, checked.readings)
    batch = replace(batch, readings=checked.readings)
    written = await ground.writer.write(batch, evaluated, now, checked.learnt, replayed=entry)
    ground.engine.apply(evaluated)
    ground.memory.apply(checked.learnt)
    return written


def as_batch(entry: Waiting, fleet: Fleet, limits: Limits, now: datetime, decoders: Decoders = NATIVE_ONLY) -> Batch:
    """What an entry holds, with its time shift. Pure.

    ts + shift against the arrival is the same as ts against arrival - shift: so intake decodes and judges what was
    sent, whatever its format, and what it refuses keeps the bytes that were sent.
    """
    shift = timedelta(seconds=entry.shift_s)
    batch = take_in([Packet(entry.topic, entry.payload, entry.first_seen - shift)], fleet, limits, decoders)
    refused = [each._replace(received_at=entry.first_seen, hour_of=entry.first_seen) for each in batch.quarantined]
    readings = [_shifted(each, shift, entry.first_seen, limits, now) for each in batch.readings]
    return Batch(readings, refused, batch.unknown_fields)


def _shifted(readings: Readings, shift: timedelta, arrived: datetime, limits: Limits, now: datetime) -> Readings:
    shift_us = round(shift.total_seconds() * 1e6)
    ts_us = readings.ts_us + shift_us
    late = round(now.timestamp() * 1e6) - ts_us > limits.live_window_s * 1_000_000
    return replace(
        readings,
        ts_us=ts_us,
        received_us=readings.received_us + shift_us,
        packet=[packet._replace(received_at=arrived) for packet in readings.packet],
        reason=np.where(late, readings.reason | Reason.LATE, readings.reason).astype(np.int32),
        item=[item | {"ts": utc(at)} for item, at in zip(readings.item, ts_us.tolist(), strict=True)],
    )
