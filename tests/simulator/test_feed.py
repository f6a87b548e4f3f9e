"""Feeding a recorded file to connections: every row in order, a device on one connection, refusals counted."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator import feed
from simulator.progress import Progress
from simulator.replay import Refused, Row

T0 = datetime(2020, 1, 1, tzinfo=UTC)


class Lane:
    """A connection that takes everything at once and remembers it."""

    def __init__(self, open_: bool = True) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.connections, self.connected, self.open = 1, True, open_

    @property
    def published(self) -> int:
        return len(self.taken)

    @property
    def acknowledged(self) -> int:
        return len(self.taken) if self.open else 0

    async def publish(self, topic: str, payload: bytes) -> None:
        self.taken.append((topic, json.loads(payload)))

    async def drained(self) -> None:
        if not self.open:
            await asyncio.Event().wait()


def row(number: int, device_id: str, seconds: float) -> Row:
    ts = T0 + timedelta(seconds=seconds)
    return Row(number, device_id, ts, {"ts": ts, "level_m": float(number)})


async def sent(
    items: list[Row | Refused], lanes: int = 1, speed: float | None = None
) -> tuple[list[Lane], int, list[str]]:
    to, said = [Lane() for _ in range(lanes)], []
    refused = await feed.replay(items, "31", to, speed, Progress(to, said.append))  # type: ignore[arg-type]
    return to, refused, said


async def test_every_row_is_published_in_its_order() -> None:
    items: list[Row | Refused] = [row(n, f"wl-{n % 3}", -n) for n in range(2, 50)]
    (lane,), refused, _ = await sent(items)
    assert refused == 0
    assert [topic for topic, _ in lane.taken] == [f"siaga/v1/31/wl-{n % 3}/readings" for n in range(2, 50)]
    assert [fields["level_m"] for _, fields in lane.taken] == [float(n) for n in range(2, 50)]


async def test_a_device_keeps_its_connection_and_its_order() -> None:
    items: list[Row | Refused] = [row(n, f"wl-{n % 20}", n) for n in range(200)]
    lanes, _, _ = await sent(items, lanes=4)
    assert sum(lane.published for lane in lanes) == 200
    assert sum(bool(lane.taken) for lane in lanes) > 1
    seen: dict[str, Lane] = {}
    for lane in lanes:
        for topic, _ in lane.taken:
            assert seen.setdefault(topic, lane) is lane
        for topic in {topic for topic, _ in lane.taken}:
            own = [fields["level_m"] for t, fields in lane.taken if t == topic]
            assert own == sorted(own)


async def test_refused_rows_are_counted_and_the_others_sent() -> None:
    items = [row(2, "wl-1", 0), Refused(3, "cm: 'x' is no number"), row(4, "wl-1", 0)]
    (lane,), refused, _ = await sent(items)
    assert (lane.published, refused) == (2, 1)


async def test_at_a_speed_times_are_waited_for_and_long_silences_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = _clock(monkeypatch)
    day = 86_400.0
    await sent([row(2, "a", 0), row(3, "a", 600), row(4, "a", 300), row(5, "a", 660), row(6, "a", day)], speed=60)
    assert waits == pytest.approx([10, 1, feed.GAP_MAX_S / 60])


async def test_at_full_speed_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = _clock(monkeypatch)
    await sent([row(2, "a", 0), row(3, "a", 600)], speed=None)
    assert waits == []


def _clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still but for the sleeps, which it notes."""
    now, waits = [1000.0], []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(feed.asyncio, "sleep", sleep)
    monkeypatch.setattr(feed.time, "monotonic", lambda: now[0])
    return waits


async def test_the_summary_accounts_for_every_message() -> None:
    lanes, lost = [Lane(), Lane()], [Lane(), Lane(open_=False)]
    for lane in (*lanes, *lost):
        await lane.publish("t", b"{}")
    assert "Every message was acknowledged" in Progress(lanes, print).summary()  # type: ignore[arg-type]
    text = Progress(lost, print).summary()  # type: ignore[arg-type]
    assert "NOT acknowledged: 1" in text
    assert "published 2, acknowledged 1" in text


async def test_a_feed_that_ends_waits_for_acknowledgements_and_gives_its_answer() -> None:
    lane = Lane()

    async def work() -> int:
        await lane.publish("t", b"{}")
        return 7

    progress = Progress([lane], print)  # type: ignore[list-item]
    assert await feed.until_stopped(work(), [lane], asyncio.Event(), progress) == 7  # type: ignore[list-item]


async def test_a_stop_signal_ends_the_feed_and_shortens_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "DRAIN_AFTER_STOP_S", 0)
    lane, stop = Lane(open_=False), asyncio.Event()
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    progress = Progress([lane], print)  # type: ignore[list-item]
    ended = asyncio.ensure_future(feed.until_stopped(work(), [lane], stop, progress))  # type: ignore[list-item]
    await begun.wait()
    stop.set()
    assert await ended is None
    assert cancelled.is_set()
