"""Signals of `siaga up` as something to wait for: a child has ended, a stop was asked for."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """`stops` counts how often we were asked to stop. One instance a process, made in the main thread."""

    def __init__(self) -> None:
        self.stops = 0
        self._wake, wake_writer = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        for number in STOPS:
            # nohup asks to outlive the terminal.
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            signal.signal(number, _nothing)

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until the next signal."""
        ready, _, _ = select.select([self._wake], [], [], max(0.0, seconds))
        if ready:
            with contextlib.suppress(BlockingIOError):
                self.stops += sum(number in STOPS for number in os.read(self._wake, 4096))


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block when it takes longer. libpq waits for ever for a server that was stopped, and
    a `siaga up` that waits cannot be stopped either. Main thread only, not to be nested."""
    before = signal.signal(signal.SIGALRM, _time_is_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _nothing(number: int, frame: FrameType | None) -> None:
    pass


def _time_is_up(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("no answer in time")
