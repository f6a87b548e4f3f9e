"""Recording a run: the same truth at any speed, and which messages a broker may have lost."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from runtime.mqtt_url import Broker, parse_url
from runtime.settings import Settings
from simulator import feed
from simulator.field import Packet
from simulator.plan import Plan
from simulator.play import Player
from simulator.progress import Progress
from simulator.runs import Run, Wanted
from simulator.truth import record as module
from simulator.truth.folder import read
from simulator.truth.record import Record
from tests.servers import Nats
from tests.simulator.offline import LONG_AFTER_MS, played, shipped_plan, write_truth, written_plan
from tests.simulator.slow_broker import SlowBroker
from tests.simulator.test_play import stopped_under, until
from tests.simulator.test_truth import differing


def recording(plan: Plan, folder: Path, may_lose_s: float = 0.0) -> Record:
    return Record(folder, plan, "past", plan.end_ms + LONG_AFTER_MS, may_lose_s)


class TestSameRun:
    @pytest.mark.parametrize(("speed", "connections"), [(None, 1), (None, 3), (100_000.0, 2)])
    async def test_at_any_speed_over_any_connections_writes_the_same(
        self, tmp_path: Path, nats: Nats, speed: float | None, connections: int
    ) -> None:
        plan = shipped_plan("data-kotor", 2, hours=7)
        said: list[str] = []
        folder = tmp_path / "run"
        wanted = Wanted(f"same-{connections}", plan.fleet, lambda _: plan, speed, folder)
        run = Run(Settings(), parse_url(nats.url), connections, 500, said.append, None)
        assert await run.play(wanted), said
        write_truth(plan, tmp_path / "offline")
        assert differing(folder, tmp_path / "offline") == []
        assert f"Compare: siaga verify --truth {folder}" in said[-1]

    async def test_a_scenario_that_does_not_come_out_is_no_success(self, tmp_path: Path, nats: Nats) -> None:
        plan = written_plan('[[expect]]\nrule = "siaga"\ndevices = "wl-buntu-pane"\n', hours=1)
        said: list[str] = []
        run = Run(Settings(), parse_url(nats.url), 1, 500, said.append, None)
        assert not await run.play(Wanted("unmet", plan.fleet, lambda _: plan, None, tmp_path / "run"))
        assert said[-1] == "NOT as the scenario says: 1 alerts 'siaga' expected on wl-buntu-pane, found 0"
        assert read(tmp_path / "run").summary.messages > 0


class Lane:
    """What a record follows of a connection."""

    on_acknowledged: Any = None
    on_lost: Any = None


class TestUnsure:
    """Message n is acknowledged at second n of a clock of our own."""

    @pytest.fixture
    def now(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [100.0]
        monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
        return now

    def acknowledged(
        self, folder: Path, may_lose_s: float, now: list[float], lost_after: int, away_s: float
    ) -> dict[int, str]:
        plan = written_plan(hours=3)
        record, lane = recording(plan, folder, may_lose_s), Lane()
        record.watch([lane])  # type: ignore[list-item]
        for number, packet in enumerate(played(plan).packets[:30]):
            record.sending(0, number, packet)
        for number in range(30):
            lane.on_acknowledged(number)
            now[0] += 1
            if number == lost_after:
                lane.on_lost()
                now[0] += away_s
        record.finish(plan.end_ms)
        return read(folder).unsure

    def test_what_was_acknowledged_shortly_before_and_after(self, tmp_path: Path, now: list[float]) -> None:
        unsure = self.acknowledged(tmp_path, 3, now, lost_after=10, away_s=60)
        before = "acknowledged within 3 s before the connection broke"
        after = "acknowledged within 3 s after the broker came back"
        assert unsure == dict.fromkeys((8, 9, 10), before) | dict.fromkeys((11, 12, 13), after)

    def test_nothing_where_the_broker_keeps_what_it_acknowledges(self, tmp_path: Path, now: list[float]) -> None:
        assert self.acknowledged(tmp_path, 0, now, lost_after=10, away_s=60) == {}

    def test_nothing_while_no_connection_is_lost(self, tmp_path: Path, now: list[float]) -> None:
        assert self.acknowledged(tmp_path, 3, now, lost_after=99, away_s=0) == {}

    async def test_what_was_never_acknowledged(self, tmp_path: Path) -> None:
        plan = written_plan(hours=1)
        packets = played(plan).packets[:6]
        async with SlowBroker() as broker, feed.publishers(broker.address, "never", 2, 100) as to:
            record = recording(plan, tmp_path)
            record.watch(to)
            await sent(record, to, packets)
            await until(lambda: len(broker.sent) == 6)
            broker.acknowledge(1)  # on the connection that came last
            await until(lambda: sum(lane.acknowledged for lane in to) == 1)
            record.finish(plan.end_ms)
        unsure = read(tmp_path).unsure
        assert len(unsure) == 5
        assert set(unsure.values()) == {"not acknowledged"}
        assert set(range(6)) - set(unsure) <= {0, 1}

    async def test_of_a_broker_that_was_killed(self, tmp_path: Path) -> None:
        may_lose_s, margin_s = 0.5, 0.1
        server = Nats(tmp_path / "store")
        server.start()
        try:
            plan = written_plan(hours=72)
            record = recording(plan, tmp_path / "truth", may_lose_s)
            async with feed.publishers(parse_url(server.url), "killed", 1, 20) as to:
                player, progress = Player(plan, None, to, record), Progress(to, lambda line: None)
                times, lost = noted(to[0])
                await stopped_under(server, player, player.run(progress), lambda: progress.acknowledged > 3_000)
                await feed.drain(to)
                record.finish(plan.end_ms)
        finally:
            server.stop()
        unsure = read(tmp_path / "truth").unsure
        assert len(lost) == 1
        back = min(at for at in times.values() if at > lost[0])
        begin, end = lost[0] - may_lose_s, back + may_lose_s
        surely = {number for number, at in times.items() if begin + margin_s < at < end - margin_s}
        maybe = {number for number, at in times.items() if begin - margin_s < at < end + margin_s}
        assert len(surely) > 20
        assert surely <= unsure.keys() <= maybe
        assert {why for n, why in unsure.items() if times[n] <= lost[0]} == {
            "acknowledged within 0.5 s before the connection broke"
        }


def noted(lane: Any) -> tuple[dict[int, float], list[float]]:
    """When each message is acknowledged, and when the connection is lost: by a second watcher."""
    times, lost = dict[int, float](), list[float]()
    acknowledged, broken = lane.on_acknowledged, lane.on_lost

    def on_acknowledged(number: int) -> None:
        times[number] = time.monotonic()
        acknowledged(number)

    def on_lost() -> None:
        lost.append(time.monotonic())
        broken()

    lane.on_acknowledged, lane.on_lost = on_acknowledged, on_lost
    return times, lost


async def sent(record: Record, to: list[Any], packets: list[Packet]) -> None:
    """Messages in turn over all connections."""
    for number, packet in enumerate(packets):
        lane = number % len(to)
        record.sending(lane, to[lane].published, packet)
        await to[lane].publish(packet.topic, packet.payload)


async def test_a_run_that_is_stopped_keeps_its_truth_so_far(tmp_path: Path) -> None:
    plan = written_plan(hours=24)
    async with SlowBroker(at_once=True) as broker:
        record = recording(plan, tmp_path)
        async with feed.publishers(broker.address, "stopped", 1, 100) as to:
            player, stop = Player(plan, None, to, record), asyncio.Event()
            progress = Progress(to, lambda line: None)
            run = asyncio.ensure_future(feed.until_stopped(player.run(progress), to, stop, progress))
            await until(lambda: len(broker.sent) > 500)
            stop.set()
            assert await run is None
        assert record.finish(player.at_ms) == []
    truth = read(tmp_path)
    assert 500 < to[0].published < len(played(plan).packets)
    assert truth.summary.end_ms == player.at_ms
    # One that was waiting to be handed over is told as not acknowledged.
    assert set(truth.unsure) == set(range(to[0].published, truth.summary.messages)) <= {to[0].published}


async def test_nobody_listens(tmp_path: Path) -> None:
    """A broker that is not there: the truth is that nothing was sent."""
    plan = written_plan(hours=1)
    record, nowhere = recording(plan, tmp_path), Broker("127.0.0.1", 1, None, None, tls=False)
    async with feed.publishers(nowhere, "nobody", 1, 10) as to:
        player, stop = Player(plan, None, to, record), asyncio.Event()
        progress = Progress(to, lambda line: None)
        run = asyncio.ensure_future(feed.until_stopped(player.run(progress), to, stop, progress))
        await asyncio.sleep(0.1)
        stop.set()
        await run
        record.finish(player.at_ms)
    truth = read(tmp_path)
    assert sorted(truth.unsure) == list(range(truth.summary.messages)) == [0]
