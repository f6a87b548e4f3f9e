"""Days of groups kept up to date, so that whoever asks for a year finds it added up."""

from __future__ import annotations

import time

from devices.kinds import KINDS
from storage import groups
from worker.context import Context

# As much work as rest where many days are marked, as after devices have moved.
SLICE_S = 2.0
ROWS_MAX = 200_000


async def roll_up_groups(here: Context) -> float | None:
    """One round; how long to rest after it where something is left."""
    began = time.monotonic()
    async with here.pool.connection() as conn:
        while any([await groups.drain(conn, kind, ROWS_MAX) for kind in KINDS.values()]):
            if time.monotonic() - began > SLICE_S or here.stop.is_set():
                return time.monotonic() - began
    return None
