"""The ledger counted: what is missing in hours that are closed, then the sums of the fleet. In slices, with rests."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from storage.ledger_count import count_missing
from storage.ledger_sum import sum_hours
from worker.context import Context

SLICE_S = 2.0
LINES_MAX, HOURS_MAX = 2_000, 48


async def count_ledger(here: Context) -> float | None:
    """One round; how long to rest after it where something is left. An hour is summed when its lines are counted."""
    began = time.monotonic()
    now = datetime.now(UTC)
    async with here.pool.connection() as conn:
        for step, most in ((count_missing, LINES_MAX), (sum_hours, HOURS_MAX)):
            while await step(conn, now, most):
                if time.monotonic() - began > SLICE_S or here.stop.is_set():
                    return time.monotonic() - began
    return None
