"""Copies of one radio frame, told at different times by two network servers.

A reading is known by (device, ts). Two servers that heard the same frame each tell their own time, so that key does
not show that they are one. What does is device, session and frame counter: boot and seq. So before a batch is
evaluated each frame is looked up by these among the readings near its time, stored or in the batch, and a copy takes
over the time of the first. From then on the key decides as for every other reading: same values, a duplicate; others, a
conflict. The readings themselves are the memory, so it survives a restart; ingest is the only writer, so nothing is
stored between the look and the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from devices.batch import Readings, utc
from storage.kind_tables import reading_table

# LATERAL: each frame is one short walk over the key (device_id, ts), whatever the planner thinks of the table.
EARLIER = """
SELECT f."row", r.us
FROM unnest(%(row)s::int8[], %(device)s::text[], %(ts)s::timestamptz[], %(boot)s::text[], %(seq)s::int8[])
     AS f("row", device_id, ts, boot, seq),
LATERAL (
    SELECT (extract(epoch FROM ts) * 1000000)::int8 AS us FROM {table}
    WHERE device_id = f.device_id AND boot = f.boot AND seq = f.seq
      AND ts BETWEEN f.ts - %(within_s)s * interval '1 s' AND f.ts + %(within_s)s * interval '1 s'
    ORDER BY ts LIMIT 1
) r
"""


async def settle(
    conn: psycopg.AsyncConnection[Any], readings: Readings, rows: Sequence[int], within_s: int
) -> Readings:
    """Give copies among these rows the time of the frame they repeat. Raises psycopg.Error.

    within_s is how far apart the times of two copies may be.
    """
    frames = [row for row in rows if readings.boot[row] is not None and readings.seq[row] is not None]
    if not frames:
        return readings
    stored = await _stored(conn, readings, frames, within_s)
    ts_us, items = readings.ts_us.copy(), list(readings.item)
    first_us: dict[tuple[int, str | None, int | None], int] = {}
    for row in frames:
        frame, own_us = (int(readings.device[row]), readings.boot[row], readings.seq[row]), int(ts_us[row])
        first = stored.get(row, first_us.get(frame))
        if first is None or abs(first - own_us) > within_s * 1_000_000:
            first = first_us[frame] = own_us
        if first != own_us:
            ts_us[row] = first
            items[row] = {**items[row], "ts": utc(first)}
    return replace(readings, ts_us=ts_us, item=items)


async def _stored(
    conn: psycopg.AsyncConnection[Any], readings: Readings, rows: Sequence[int], within_s: int
) -> dict[int, int]:
    """The time in µs under which a frame is stored, by row."""
    asked = {
        "row": list(rows),
        "device": [readings.device_id[row] for row in rows],
        "ts": [readings.ts(row) for row in rows],
        "boot": [readings.boot[row] for row in rows],
        "seq": [readings.seq[row] for row in rows],
        "within_s": within_s,
    }
    query = sql.SQL(EARLIER).format(table=sql.Identifier(reading_table(readings.kind)))
    return dict(await (await conn.execute(query, asked)).fetchall())
