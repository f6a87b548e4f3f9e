"""Looks at a world while it is being hurt: memory of ingest at its peak, and for how long nothing was stored."""

from __future__ import annotations

import contextlib
import threading
import time
from types import TracebackType
from typing import Self

import psycopg

from bench.measure import memory_mb
from tests.failure.world import World

LOOK_S = 0.25


class Watch:
    """`with Watch(world) as watch:`; afterwards the figures are in it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.peak_mb = 0.0
        self.pause_s = 0.0  # the longest time between two looks that found something new

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        before, since = 0, None
        while not self._over.wait(LOOK_S):
            with contextlib.suppress(KeyError):  # between two lives
                self.peak_mb = max(self.peak_mb, memory_mb(self._world.stack.pid("ingest")))
            stored = self._stored()
            if stored is None or stored == before:
                continue
            now = time.monotonic()
            if since is not None:
                self.pause_s = max(self.pause_s, now - since)
            before, since = stored, now

    def _stored(self) -> int | None:
        """None while the database is away."""
        try:
            with self._world.connect() as conn:
                row = conn.execute("SELECT coalesce(sum(stored), 0)::bigint FROM ledger").fetchone()
        except psycopg.Error:
            return None
        assert row is not None
        return int(row[0])
