"""What a run says of itself: a line every few seconds, and a summary that accounts for every message."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from simulator.mqtt.publish import Publisher

EVERY_S = 5.0


class Progress:
    """Counts over all connections. `note` is called for what only the feed knows (lag, position in a file)."""

    def __init__(self, publishers: Sequence[Publisher], say: Callable[[str], None]) -> None:
        self._publishers, self._say = publishers, say
        self._began = self._last = time.monotonic()
        self._last_published = 0
        self.note: Callable[[], str] = str

    @property
    def published(self) -> int:
        return sum(p.published for p in self._publishers)

    @property
    def acknowledged(self) -> int:
        return sum(p.acknowledged for p in self._publishers)

    def tick(self) -> None:
        """Say one line if it is time for one."""
        now = time.monotonic()
        if now - self._last < EVERY_S:
            return
        published = self.published
        rate = (published - self._last_published) / (now - self._last)
        away = sum(not p.connected for p in self._publishers)
        parts = [
            _clock(now - self._began),
            f"published {published:,}",
            f"acknowledged {self.acknowledged:,}",
            f"{rate:.1f} msg/s",
            self.note(),
            f"{away} of {len(self._publishers)} connections down" if away else "",
        ]
        self._say("  ".join(part for part in parts if part))
        self._last, self._last_published = now, published

    def summary(self) -> str:
        """The account of the whole run."""
        seconds = max(time.monotonic() - self._began, 1e-9)
        published, acknowledged = self.published, self.acknowledged
        again = sum(max(p.connections - 1, 0) for p in self._publishers)
        text = (
            f"published {published:,}, acknowledged {acknowledged:,} in {_clock(seconds)} "
            f"({published / seconds:,.1f} msg/s), {again} reconnections"
        )
        if published == acknowledged:
            return f"Done: {text}. Every message was acknowledged by the broker."
        return f"Ended: {text}. NOT acknowledged: {published - acknowledged:,}."


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
