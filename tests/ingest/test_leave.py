"""A region that is given to another process: the first keeps it until the second listens, and takes it no longer."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Self

import psycopg
import pytest

from devices.topics import readings_filters
from ingest.ground import new_session_id, part_of
from ingest.leave import EVERYTHING, served_by_others
from ingest.mqtt import Session
from runtime.mqtt_url import parse_url
from storage.connect import connect_async
from storage.ingest_session import take
from storage.parts import How, beat_async
from tests.ingest.listening import DEADLINE_S, Publisher, texts_of, until
from tests.servers import Mosquitto, Nats
from tests.stack import ROOT
from tests.stack import until as wait_until


@pytest.mark.parametrize(
    ("client_id", "part"),
    [("siaga-ingest", "ingest"), ("siaga-ingest-north", "ingest-north"), ("north", "ingest-north")],
)
def test_each_session_is_a_part_of_its_own(client_id: str, part: str) -> None:
    assert part_of(client_id) == part


def test_nobody_guesses_what_a_session_is_called_unless_somebody_named_it() -> None:
    one, other = new_session_id("siaga-ingest-north"), new_session_id("siaga-ingest-north")
    assert one != other
    assert re.fullmatch("siaga-ingest-north-[0-9a-f]{32}", one)
    assert new_session_id("north") == "north"


async def test_a_kept_session_leaves_what_it_is_told_to(broker: Nats | Mosquitto, region: str) -> None:
    """Given one region less, it goes on receiving it, as the broker knows nothing of it."""
    moved = f"{region}.01"
    client_id = f"moving-{region.replace('.', '-')}"
    both = Session(parse_url(broker.url), client_id, readings_filters((region, moved)), 100, 1 << 20)
    await run_until_subscribed(both)
    one = Session(parse_url(broker.url), client_id, readings_filters((region,)), 100, 1 << 20)
    stop = asyncio.Event()
    running = asyncio.create_task(one.run(stop))
    assert not one.leave(readings_filters((moved,))), "not before it is connected"
    await until(lambda: one.subscribed_since is not None)
    with Publisher(broker.url, region, "stays") as stays, Publisher(broker.url, moved, "moves") as moves:
        await moves.send("before")
        got = await one.take(10)
        assert texts_of(got) == ["before"]
        one.acknowledge(got)
        gone = asyncio.Event()
        one._lane.on_unsubscribe = lambda *_: gone.set()
        assert one.leave(readings_filters((moved, region)))
        async with asyncio.timeout(DEADLINE_S):
            await gone.wait()
        await moves.send("after")
        await stays.send("stays")
        assert texts_of(await one.take(10)) == ["stays"]
    stop.set()
    await running


async def run_until_subscribed(session: Session) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(session.run(stop))
    await until(lambda: session.subscribed_since is not None)
    stop.set()
    await running


async def test_others_serve_only_once_they_listen(database_url: str) -> None:
    ours, theirs = readings_filters(("12.09",)), readings_filters(("12.10",))
    async with await connect_async(database_url, "one") as one, await connect_async(database_url, "other") as other:
        await take(one, "siaga-ingest-1", ours)
        assert await served_by_others(one, "siaga-ingest-1") == frozenset()
        await take(other, "siaga-ingest-2", theirs)
        await beat_async(other, "ingest-2", How("degraded", "the broker is away"))
        assert await served_by_others(one, "siaga-ingest-1") == frozenset()
        await beat_async(other, "ingest-2", How("up"))
        assert await served_by_others(one, "siaga-ingest-1") == {*theirs, *EVERYTHING}


@pytest.mark.slow
def test_a_region_moves_without_a_gap(database_url: str, nats: Nats, region: str, tmp_path: Path) -> None:
    """By two real processes, restarted as an operator would."""
    moved = f"{region}.01"
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("INSERT INTO device (id, kind, region) VALUES ('lamp', 'streetlight', %s)", (moved,))
        first = Running("first", tmp_path, database_url, nats.url, region, f"{region},{moved}")
        with first, Publisher(nats.url, moved) as lamp:

            def stored_with(number: int) -> None:
                """One more reading, stored by whoever takes it now."""
                lamp.publish(f'{{"ts": "2026-11-24T12:00:0{number}Z", "power_w": 60}}')
                wait_until(lambda: conn.execute(STORED).fetchone() == (number,), f"{number} are stored")

            stored_with(1)
            first.end()
            first.begin(region)
            stored_with(2)
            with Running("second", tmp_path, database_url, nats.url, region, moved):
                wait_until(lambda: "topics.left" in first.said, "the first has left the region")
                stored_with(3)
                first.end()  # what it has taken it has committed, and counted
                stored_with(4)
        twice = conn.execute("SELECT received - stored FROM ledger WHERE device_id = 'lamp'").fetchone()
    assert twice == (0,), "after it had left, the first took one more"


STORED = "SELECT coalesce(sum(stored), 0)::int FROM ledger WHERE device_id = 'lamp'"


class Running:
    """A `siaga ingest` process that may be started again with other regions."""

    def __init__(self, name: str, folder: Path, database_url: str, mqtt_url: str, region: str, regions: str) -> None:
        self.log, self.regions = folder / name, regions
        self.env = {
            **os.environ, "SIAGA_DATABASE_URL": database_url, "SIAGA_MQTT_URL": mqtt_url, "SIAGA_FLEET_RELOAD_S": "1",
            "SIAGA_INGEST_CLIENT_ID": f"move-{name}-{region.replace('.', '-')}",
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.begin(self.regions)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def begin(self, regions: str) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "siaga", "ingest"], cwd=ROOT, stdout=log, stderr=log,
                env={**self.env, "SIAGA_INGEST_REGIONS": regions},
            )  # fmt: skip
        wait_until(lambda: "subscription.accepted" in self.said, f"{regions} are subscribed to:\n{self.said}")

    def end(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    @property
    def said(self) -> str:
        return self.log.read_text()
