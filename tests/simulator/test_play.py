"""Playing a plan: at its own pace or as fast as it goes, never ahead of the clock, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runtime.mqtt_url import parse_url
from simulator import feed, play
from simulator.fleet import make_fleet
from simulator.plan import FOR_EVER_MS, Plan, plan_city
from simulator.play import TICK_S, Player, VirtualClock
from simulator.progress import Progress
from tests.servers import Nats
from tests.simulator.offline import HOUR_MS, played, written_plan

T0 = 1_796_000_000.0


class Clock:
    """It stands still but for the sleeps, which it notes."""

    def __init__(self, now: float = T0) -> None:
        self.now, self.waits = now, list[float]()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(play.asyncio, "sleep", made.sleep)
    monkeypatch.setattr(play.time, "time", made)
    monkeypatch.setattr(play, "VirtualClock", partial(VirtualClock, wall=made))
    return made


class Sent(NamedTuple):
    at: float
    topic: str
    payload: bytes


class Lane:
    """A connection that takes everything at once, and notes when."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.taken, self._clock = list[Sent](), clock
        self.connections, self.connected = 1, True

    @property
    def published(self) -> int:
        return len(self.taken)

    acknowledged = published

    async def publish(self, topic: str, payload: bytes) -> None:
        self.taken.append(Sent(self._clock(), topic, payload))


def city(start: float, hours: float, devices: int = 40) -> Plan:
    return plan_city(make_fleet(devices, 1), 1, "12.09", start, rate=None, hours=hours)


async def sent(plan: Plan, speed: float | None, clock: Clock, lanes: int = 1) -> list[Lane]:
    to = [Lane(clock) for _ in range(lanes)]
    await Player(plan, speed, to, None).run(Progress(to, lambda line: None))  # type: ignore[arg-type]
    return to


def wire(plan: Plan) -> list[tuple[str, bytes]]:
    return [(packet.topic, packet.payload) for packet in played(plan).packets]


class TestClock:
    @pytest.mark.parametrize("speed", [None, 1])
    def test_live_and_max_are_as_late_as_we_are(self, speed: float | None) -> None:
        wall = Clock()
        made = VirtualClock(0, speed, wall)
        wall.now += 5
        assert made.now_ms() == round(1000 * (T0 + 5))

    def test_a_speed_is_that_many_times_faster(self) -> None:
        wall = Clock()
        made = VirtualClock(round(1000 * (T0 - 86_400)), 60, wall)
        assert made.now_ms() == round(1000 * (T0 - 86_400))
        wall.now += 10
        assert made.now_ms() == round(1000 * (T0 - 86_400 + 600))

    def test_but_never_in_the_future(self) -> None:
        wall = Clock()
        made = VirtualClock(round(1000 * (T0 - 100)), 60, wall)
        wall.now += 10
        assert made.now_ms() == round(1000 * wall.now)


class TestPace:
    async def test_live_each_packet_leaves_as_its_time_comes(self, clock: Clock) -> None:
        plan = city(T0, 1 / 60)
        (lane,) = await sent(plan, 1, clock)
        packets = played(plan).packets
        assert [(s.topic, s.payload) for s in lane.taken] == [(p.topic, p.payload) for p in packets]
        late = [s.at - p.send_ms / 1000 for s, p in zip(lane.taken, packets, strict=True)]
        assert min(late) >= 0, "nothing is measured before its time"
        assert max(late) <= 2 * TICK_S
        assert clock.now - T0 == pytest.approx(60, abs=2 * TICK_S)

    async def test_what_begins_in_the_past_catches_up_and_goes_on_live(self, clock: Clock) -> None:
        plan = city(T0 - 3_600, 1 + 1 / 360)
        (lane,) = await sent(plan, 1, clock)
        assert [(s.topic, s.payload) for s in lane.taken] == wire(plan)
        at_once = sum(s.at < T0 + 2 * TICK_S for s in lane.taken)
        assert at_once == pytest.approx(len(lane.taken) * 360 / 361, rel=0.01)
        assert clock.now - T0 == pytest.approx(10, abs=2 * TICK_S)

    async def test_what_begins_later_is_waited_for(self, clock: Clock) -> None:
        (lane,) = await sent(city(T0 + 20, 1 / 360), 1, clock)
        assert lane.taken[0].at >= T0 + 20

    async def test_at_60_an_hour_takes_a_minute(self, clock: Clock) -> None:
        plan = city(T0 - 7_200, 1)
        (lane,) = await sent(plan, 60, clock)
        assert [(s.topic, s.payload) for s in lane.taken] == wire(plan)
        assert clock.now - T0 == pytest.approx(60, abs=2 * TICK_S)
        half = [s for s in lane.taken if s.at < T0 + 30]
        assert len(half) == pytest.approx(len(lane.taken) / 2, rel=0.02)

    async def test_at_max_nothing_is_waited_for(self, clock: Clock) -> None:
        plan = city(T0 - 7_200, 1)
        (lane,) = await sent(plan, None, clock)
        assert [(s.topic, s.payload) for s in lane.taken] == wire(plan)
        assert clock.waits == []

    async def test_what_is_held_back_at_the_end_is_sent_then(self, clock: Clock) -> None:
        tables = '[[fault]]\nfault = "backfill"\nuntil_h = 30\nfrom_h = 1\n'
        plan = written_plan(tables, hours=3)
        clock.now = plan.start_ms / 1000 + 86_400
        (lane,) = await sent(plan, None, clock)
        assert [(s.topic, s.payload) for s in lane.taken] == wire(plan)
        assert clock.waits == []

    async def test_a_device_keeps_its_connection_and_its_order(self, clock: Clock) -> None:
        plan = city(T0 - 7_200, 0.5)
        lanes = await sent(plan, None, clock, lanes=4)
        assert all(lane.taken for lane in lanes)
        topics = [{s.topic for s in lane.taken} for lane in lanes]
        assert sum(map(len, topics)) == len(set().union(*topics)) == 40
        expected = wire(plan)
        for topic in set().union(*topics):
            own = [s.payload for lane in lanes for s in lane.taken if s.topic == topic]
            assert own == [payload for other, payload in expected if other == topic]


class TestWhere:
    async def test_a_plan_with_an_end_tells_how_far_it_is(self, clock: Clock) -> None:
        notes = await self.notes(city(T0 - 7_200, 1), clock)
        assert notes[0] == "2026-11-30 05:53 (0%)"
        assert notes[-1].endswith("(100%)")

    async def test_a_city_without_an_end_tells_its_lag_or_its_day(self, clock: Clock) -> None:
        endless = city(T0 - 1_800, float("inf"))
        assert endless.end_ms == FOR_EVER_MS
        player = Player(endless, 1, [Lane(clock)], None)  # type: ignore[list-item]
        assert player._where() == "lag 1800.0 s"
        assert Player(city(T0 - 7_200, float("inf")), 1, [Lane(clock)], None)._where() == "2026-11-30 05:53"  # type: ignore[list-item]

    async def notes(self, plan: Plan, clock: Clock) -> list[str]:
        lane, noted = Lane(clock), list[str]()
        progress = Progress([lane], lambda line: None)  # type: ignore[list-item]
        really = lane.publish

        async def publish(topic: str, payload: bytes) -> None:
            noted.append(progress.note())
            await really(topic, payload)

        lane.publish = publish  # type: ignore[method-assign]
        await Player(plan, None, [lane], None).run(progress)  # type: ignore[list-item]
        return [*noted, progress.note()]


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.005)


async def stopped_under(server: Nats, player: Player, work: Awaitable[Any], enough: Callable[[], bool]) -> int:
    """Kill the broker in the middle of a run; how far it came in its own time until it stood still."""
    task = asyncio.ensure_future(work)
    await until(enough)
    await asyncio.to_thread(server.kill)
    came = -1
    while came != player.at_ms:  # what was in hand when the broker went
        came = player.at_ms
        await asyncio.sleep(0.3)
    assert not task.done()
    await asyncio.to_thread(server.start)
    await task
    return came


async def test_while_the_broker_is_away_the_field_stands_still_and_loses_nothing(tmp_path: Path) -> None:
    server = Nats(tmp_path / "store")
    server.start()
    try:
        plan = written_plan(hours=24)
        async with feed.publishers(parse_url(server.url), "away", 2, 50) as to:
            player, progress = Player(plan, None, to, None), Progress(to, lambda line: None)
            came = await stopped_under(server, player, player.run(progress), lambda: progress.acknowledged > 1_000)
            await feed.drain(to)
            assert came < plan.end_ms - HOUR_MS, "no more than what may be in flight"
            assert progress.published == progress.acknowledged == len(played(plan).packets)
            assert [p.connections for p in to] == [2, 2]
    finally:
        server.stop()
