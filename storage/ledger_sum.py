"""The ledger of the fleet by hour, kind and district: sums of its lines, with what was expected of each device."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg

from devices.completeness import expected_of_each
from devices.kinds import KINDS
from storage.ledger_count import CLOSED, TRY_LOCK

Whole = npt.NDArray[np.int64]

# Nothing was expected of a device before it was registered, nor of one that is planned or retired.
FLEET = """
SELECT d.id, d.kind, coalesce(d.district, ''), coalesce(d.lat, 'NaN'), coalesce(d.lon, 'NaN'),
    CASE WHEN d.status = 'in_service' THEN extract(epoch FROM d.created_at)::float8 ELSE 'Infinity' END,
    coalesce(l.seq IS NOT NULL AND l.boot IS NOT NULL, false)
FROM device AS d LEFT JOIN latest AS l ON l.device_id = d.id
"""
TAKE = """
WITH gone AS (
    DELETE FROM ledger_mark WHERE device_id IS NULL AND hour IN (
        SELECT DISTINCT hour FROM ledger_mark WHERE device_id IS NULL ORDER BY hour DESC LIMIT %s)
    RETURNING hour)
SELECT DISTINCT hour FROM gone
"""
# From the last that was closed when it was summed: so an hour in which nobody sent anything has its line too.
OPEN_HOURS = """
SELECT generate_series(date_trunc('hour', coalesce(
    (SELECT max(hour) FROM ledger_sum WHERE summed_at >= hour + %(closed)s) + interval '1 hour', %(now)s - %(closed)s
)), %(now)s, interval '1 hour') LIMIT %(limit)s
"""
LINES = """
SELECT device_id, coalesce(l.stored, 0), coalesce(l.duplicate, 0), coalesce(l.conflict, 0),
    coalesce(l.quarantined, 0), coalesce(m.missing, 0)
FROM (SELECT * FROM ledger WHERE hour = %(hour)s) AS l
FULL JOIN (SELECT * FROM ledger_missing WHERE hour = %(hour)s) AS m USING (device_id)
"""
FORGET = "DELETE FROM ledger_sum WHERE hour = %s"
KEEP = """
INSERT INTO ledger_sum (hour, summed_at, kind, district, stored, duplicate, conflict, quarantined, missing, expected,
                        met, received)
SELECT %s, %s, *, s + d + c + q FROM unnest(%s::text[], %s::text[], %s::int8[], %s::int8[], %s::int8[], %s::int8[],
    %s::int8[], %s::int8[], %s::int8[]) AS t(kind, district, s, d, c, q, missing, expected, met)
"""


class _Fleet:
    """The registry as columns. The last row is whoever is not registered: no kind, no district, nothing expected."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self.number = {row[0]: n for n, row in enumerate(rows)}
        self.kind = np.array([*(row[1] for row in rows), ""])
        self.lat, self.lon, self.created_s = (np.array([*(row[n] for row in rows), np.nan]) for n in (3, 4, 5))
        self.numbered = np.array([*(row[6] for row in rows), False])
        self.groups = sorted({(row[1], row[2]) for row in rows} | {("", "")})
        place = {group: n for n, group in enumerate(self.groups)}
        self.group = np.array([*(place[row[1], row[2]] for row in rows), place["", ""]])

    def by_interval(self, hour: datetime, now: datetime) -> Whole:
        """What the kinds' intervals ask for in an hour, of every device."""
        wanted = np.zeros(len(self.kind), dtype=np.int64)
        for name, kind in KINDS.items():
            own = self.kind == name
            wanted[own] = expected_of_each(kind, hour, now, self.lat[own], self.lon[own])
        return wanted


async def sum_hours(conn: psycopg.AsyncConnection[Any], now: datetime, limit: int) -> bool | None:
    """Sum hours that are marked and those that are open, some of each at most; whether more may be left.

    None while another worker counts.
    """
    async with conn.transaction():
        row = await (await conn.execute(TRY_LOCK)).fetchone()
        if not row or not row[0]:
            return None
        marked = [hour async for (hour,) in await conn.execute(TAKE, (limit,))]
        values = {"closed": CLOSED, "now": now, "limit": limit}
        running = [hour async for (hour,) in await conn.execute(OPEN_HOURS, values)]
        fleet = _Fleet(await (await conn.execute(FLEET)).fetchall())
        for hour in sorted({*marked, *running}):
            await conn.execute(FORGET, (hour,))
            await conn.execute(KEEP, (hour, now, *await _summed(conn, fleet, hour, now)))
        return limit in (len(marked), len(running))


async def _summed(conn: psycopg.AsyncConnection[Any], fleet: _Fleet, hour: datetime, now: datetime) -> list[list[Any]]:
    """Kinds, districts, and for each the sums of one hour, as columns."""
    lines = await (await conn.execute(LINES, {"hour": hour})).fetchall()
    names, *numbers = zip(*lines, strict=True) if lines else ((),) * 6
    stranger = len(fleet.kind) - 1
    rows = [fleet.number.get(name, stranger) for name in names]
    told = [_sum(rows, column, len(fleet.kind)) for column in numbers]
    stored, missing = told[0], told[4]
    heard = np.any(told, axis=0)
    exact = fleet.numbered & (stored + missing > 0)
    due = heard | (fleet.created_s <= hour.timestamp())
    expected = np.where(exact, stored + missing, np.where(due, fleet.by_interval(hour, now), 0))
    met = np.minimum(stored, expected)
    sums = [_sum(fleet.group, column, len(fleet.groups)).tolist() for column in (*told, expected, met)]
    return [*(list(group) for group in zip(*fleet.groups, strict=True)), *sums]


def _sum(places: npt.ArrayLike, values: npt.ArrayLike, size: int) -> Whole:
    return np.bincount(np.asarray(places, dtype=np.intp), np.asarray(values), size).astype(np.int64)
