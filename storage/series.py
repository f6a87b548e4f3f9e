"""Which rows a curve is drawn from: readings where they are few, else the finest rollup that is few enough. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from storage.kind_tables import Level

STEPS: dict[Level, timedelta] = {
    "raw": timedelta(0), "5m": timedelta(minutes=5), "1h": timedelta(hours=1), "1d": timedelta(days=1),
}  # fmt: skip
# More rows than this for each point of the curve only cost time: the eye sees the points.
ROWS_A_POINT = 40


def sources(
    interval: timedelta, since: datetime, until: datetime, points: int, rows_max: int, closed: Mapping[Level, datetime]
) -> list[Level]:
    """What may be read, the finest first; never empty.

    interval is the expected time between two readings; before closed[level] not all may be there any more.
    """
    most = min(rows_max, points * ROWS_A_POINT)
    found = [
        level
        for level, step in STEPS.items()
        if (until - since) / max(step, interval) <= most and (level not in closed or closed[level] <= since)
    ]
    return found or ["1d"]
