"""`siaga quarantine` against the real API, with ingest's own replay at work beside it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from ingest.replay import replay_waiting
from runtime.settings import Settings
from siaga.cli import app
from storage import keys
from tests.servers import free_port
from tests.serving import serving
from tests.storage.world import GAUGE, World, packet

FUTURE = 120
HOUR = timedelta(hours=1)
ARRIVED = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - 5 * HOUR


class Town(NamedTuple):
    """An API over a database, and a command that finds it."""

    database_url: str
    api_url: str

    def siaga(self, *words: object, code: int = 0, key: str = "engineer") -> Result:
        env = {"SIAGA_API_URL": self.api_url, "SIAGA_API_KEY": key}
        done = CliRunner().invoke(app, ["quarantine", *map(str, words)], env=env)
        assert done.exit_code == code, done.output
        return done

    def listed(self, *words: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.siaga("list", "--json", *words).stdout)
        return found


@pytest.fixture
def town(database_url: str) -> Iterator[Town]:
    """A gauge's readings from the future, more than one request may change, and one that says nothing."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        for role in ("viewer", "engineer"):
            row = (f"the {role}", keys.digest(role), role)
            conn.execute("INSERT INTO api_key (name, digest, role) VALUES (%s, %s, %s)", row)

    async def fill() -> None:
        world = await World.make(database_url, GAUGE)
        sent = [
            {"ts": ARRIVED + 7 * HOUR + timedelta(seconds=n), "seq": n, "boot": "a", "level_m": 1.5}
            for n in range(FUTURE)
        ]
        await world.send([packet(GAUGE.id, each, at=ARRIVED) for each in sent], ARRIVED)
        await world.send([packet(GAUGE.id, {"level_m": "x"}, at=ARRIVED)], ARRIVED)
        await world.ground.close()

    asyncio.run(fill())
    with serving(Settings(database_url=database_url, page_max=100)) as url:
        yield Town(database_url, url)


@pytest.fixture
def ingest(town: Town) -> Iterator[None]:
    """Replays what waits, as the ingest process does."""
    over = threading.Event()

    async def replay() -> None:
        world = await World.make(town.database_url)
        while not over.is_set():
            await replay_waiting(world.ground, world.limits, None, 100, lambda _: None)
            await asyncio.sleep(0.05)
        await world.ground.close()

    working = threading.Thread(target=lambda: asyncio.run(replay()))
    working.start()
    yield
    over.set()
    working.join()


def test_listed_in_pages_filtered_and_grouped(town: Town) -> None:
    assert [each["reason"] for each in town.listed("--limit", 2)] == ["malformed", "future_timestamp"]
    assert len(town.listed("--reason", "future_timestamp", "--limit", 1000)) == FUTURE
    table = town.siaga("list", "--groups", key="viewer").stdout.splitlines()
    assert table[0].split()[:3] == ["fingerprint", "entries", "count"]
    assert [line.split()[1] for line in table[1:]] == ["1", str(FUTURE)]
    assert len(town.listed("--group", table[2].split()[0], "--limit", 1000)) == FUTURE


def test_shown_with_what_a_replay_would_make_of_it(town: Town) -> None:
    (entry,) = town.listed("--reason", "future_timestamp", "--limit", 1)
    ahead_s = round(entry["skew_s"])
    said = town.siaga("show", entry["id"]).stdout
    assert f"a replay now would make of it:\n  quarantined of gauge: future_timestamp: ts is {ahead_s} s ahead" in said
    said = town.siaga("show", entry["id"], "--shift", "-7h").stdout
    assert (
        f"  reading of gauge (water_level) at {(ARRIVED + timedelta(seconds=ahead_s) - 7 * HOUR).isoformat()}" in said
    )
    assert "level_m = 1.5" in said
    shown = json.loads(town.siaga("show", entry["id"], "--shift", "-7h", "--json").stdout)
    assert [row["seq"] for row in shown["tried"]["readings"]] == [ahead_s - 7 * 3600]
    assert "needs the role operator" in town.siaga("show", entry["id"], key="viewer", code=1).stderr
    assert "HTTP 404" in town.siaga("show", 10**9, code=1).stderr


def test_replayed_and_waited_for(town: Town, ingest: None) -> None:
    done = town.siaga("replay", "--device", GAUGE.id, "--reason", "future_timestamp", "--shift", "-7h")
    assert f"replay: {FUTURE} done, 0 refused" in done.stdout
    assert f"replayed {FUTURE}, open again 0, waiting 0\nbecame: stored {FUTURE}, " in done.stdout
    assert f"{FUTURE} of {FUTURE} tried" in done.stderr
    (number,) = (each["id"] for each in town.listed("--reason", "malformed", "--limit", 1))
    again = town.siaga("replay", number, code=1)
    assert "replayed 0, open again 1, waiting 0" in again.stdout
    assert f"{number}: ts: Field required" in again.stderr
    assert [each["what"] for each in json.loads(town.siaga("show", number, "--json").stdout)["events"]] == [
        "replay", "reopened",
    ]  # fmt: skip


def test_claimed_and_discarded_each_on_its_own(town: Town) -> None:
    ids = [each["id"] for each in town.listed("--reason", "future_timestamp", "--limit", 2)][::-1]
    assert "claim: 2 done, 0 refused" in town.siaga("claim", *ids, "--note", "mine").stdout
    with psycopg.connect(town.database_url, autocommit=True) as conn:
        conn.execute("UPDATE quarantine SET claimed_by = 'anna' WHERE id = %s", (ids[0],))
    half = town.siaga("discard", "--note", "a test", ids[0], ids[1], code=1)
    assert "discard: 1 done, 1 refused" in half.stdout
    assert f"{ids[0]}: claimed by anna; force takes it from them" in half.stderr
    town.siaga("discard", "--note", "a test", "--force", ids[0])
    assert [each["id"] for each in town.listed("--state", "discarded")] == ids[1::-1]
    assert f"{10**9}: there is no such entry" in town.siaga("claim", 10**9, code=1).stderr


def test_nobody_replays(town: Town) -> None:
    """It says so, and what was asked for stays asked for."""
    done = town.siaga("replay", "--reason", "malformed", "--patience", 0, code=1)
    assert "waiting 1" in done.stdout
    assert "Does it run" in done.stderr
    assert len(town.listed("--state", "replaying")) == 1
    said = town.siaga("replay", "--since", ARRIVED.isoformat(), "--no-wait").stdout
    assert said == f"replay: {FUTURE} done, 0 refused\n"


def test_refused_with_the_cure(town: Town) -> None:
    for words, says in {
        ("claim",): "give either ids, or a filter",
        ("claim", "1", "--state", "open"): "give either ids, or a filter",
        ("list", "--groups", "--group", "0" * 16): "--group",
        ("list", "--reason", "mood"): "reason",
        ("claim", "--state", "replayed"): "state",
    }.items():
        assert says in town.siaga(*words, code=1).stderr


def test_a_wrong_key_and_nobody_there(town: Town) -> None:
    assert "The key (SIAGA_API_KEY) must be valid" in town.siaga("list", key="wrong", code=1).stderr
    nobody = town._replace(api_url=f"http://127.0.0.1:{free_port()}")
    assert "Is SIAGA_API_URL right, and the API running?" in nobody.siaga("list", code=1).stderr


@pytest.mark.parametrize("shift", ["soon", "--7h", "-0s"])
def test_what_is_no_shift(shift: str) -> None:
    done = CliRunner().invoke(app, ["quarantine", "replay", "1", "--shift", shift])
    assert done.exit_code == 2
    assert "--shift" in done.stderr
