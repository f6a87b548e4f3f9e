"""How far a device's clock is off, and how fast it drifts: from what it took its live readings to arrive.

received_at - ts is the age of a reading and the error of its clock together. The median of an hour forgets stragglers,
late readings (buffered, replayed) are left out, and the trend is Theil and Sen's: the median of the slopes between
hours, which up to 29 % of wild ones do not move (Sen, J. Am. Stat. Assoc. 63, 1968).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import psycopg
from psycopg import sql

from devices.kind import Kind
from devices.quality import Reason
from storage.kind_tables import reading_table

DAY_S = 86_400
HOURS = """
SELECT extract(epoch FROM date_trunc('hour', ts))::float8,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM received_at - ts)::float8), count(*)
FROM {table} WHERE device_id = %(device)s AND ts >= %(since)s AND ts < %(until)s AND qc_reason & %(late)s = 0
GROUP BY 1 ORDER BY 1
"""


class HourMedian(NamedTuple):
    """hour_s: epoch seconds of its start; offset_s: median of received_at - ts over n live readings."""

    hour_s: float
    offset_s: float
    n: int


class Drift(NamedTuple):
    """offset_s: the newest day's median, positive when the clock is behind; s_per_day: its trend, None before 3 h."""

    offset_s: float
    s_per_day: float | None
    n: int


async def hours(
    conn: psycopg.AsyncConnection[Any], kind: Kind, device: str, since: datetime, until: datetime
) -> list[HourMedian]:
    """Medians by hour of ts, of live readings of since <= ts < until."""
    query = sql.SQL(HOURS).format(table=sql.Identifier(reading_table(kind)))
    values = {"device": device, "since": since, "until": until, "late": int(Reason.LATE)}
    return [HourMedian(*row) for row in await (await conn.execute(query, values)).fetchall()]


def drift(medians: Sequence[HourMedian]) -> Drift | None:
    """Offset and trend; None without a live reading. Pure."""
    if not medians:
        return None
    at = np.array([each.hour_s for each in medians])
    offset = np.array([each.offset_s for each in medians])
    newest = offset[at > at[-1] - DAY_S]
    slope = None
    if len(at) >= 3:
        first, second = np.triu_indices(len(at), 1)
        slope = float(np.median((offset[second] - offset[first]) / (at[second] - at[first]))) * DAY_S
    return Drift(float(np.median(newest)), slope, sum(each.n for each in medians))
