"""Twenty regions on four ingest processes with standbys, three brokers and two databases: one of each is killed with -9
while devices publish, and afterwards nothing is missing. Some minutes, so only with SIAGA_TEST_CLUSTER=1; prints how
long each took to be replaced, for docs/scaling.md."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster.databases import caught_up
from tests.cluster.installation import DATABASE, Installation
from tests.cluster.usage import load
from tests.failure.proxy import Proxy
from tests.servers import memory_folder
from tests.stack import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("SIAGA_TEST_CLUSTER" not in os.environ, reason="some minutes: SIAGA_TEST_CLUSTER=1"),
]

DEVICES, SECONDS, DAY_S = 700, 120, 86_400
CALM_S = 5.0
RATE, LOAD_DEVICES, LOAD_S = 1_500, 20_000, 30
READING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'siaga api' AND datname = 'siaga'"
STORED = "SELECT sum(stored)::bigint, sum(received)::bigint FROM ledger"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    memory = memory_folder() or tmp_path
    made = Installation(tmp_path, memory)
    for name, value in made.nodes.env.items():
        monkeypatch.setenv(name, value)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        if memory != tmp_path:
            shutil.rmtree(memory, ignore_errors=True)


def test_one_of_each_is_killed_and_nothing_is_missing(here: Installation, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    everywhere = sorted(region for regions in here.regions.values() for region in regions)
    playing = here.begin(
        "simulate", "--scenario", "data-kotor", "--devices", str(DEVICES), "--region", ",".join(everywhere),
        "--speed", f"{DAY_S / SECONDS:g}", "--connections", "4", "--truth", str(truth),
    )  # fmt: skip
    took: dict[str, float] = {}
    try:
        for regions in here.regions.values():
            until(lambda r=regions: here.committed(r), f"readings of {regions} are committed", 120)  # type: ignore[misc]
        time.sleep(CALM_S)
        took["an ingest process"] = ingest_killed(here)
        time.sleep(CALM_S)
        took["a broker node"] = broker_killed(here)
        time.sleep(CALM_S)
        took["the primary database"] = primary_killed(here)
        assert playing.poll() is None, "the devices had ended before everything was killed"
        said, _ = playing.communicate(timeout=900)
        assert playing.returncode == 0, said
    finally:
        playing.kill()
    for what, seconds in took.items():
        print(f"{what}: committed again {seconds:.1f} s after kill -9")
    verified = here.verify(truth)
    assert verified["differences"] == []
    assert verified["clean"]
    print({of["kind"]: of["stored"] for of in verified["readings"]}, verified["alerts"], verified["rollups"])
    the_former_primary_is_the_standby(here)
    cost = load(here, RATE, LOAD_DEVICES, LOAD_S)
    print(f"{cost.readings} readings at {RATE}/s, µs of CPU each: {cost.parts}")
    assert cost.readings > 0


def ingest_killed(here: Installation) -> float:
    """Its standby takes over; started again it is the standby."""
    active, standby = here.ingest[1]
    seconds = here.takeover_s(here.regions[1], active.end)
    assert "ingest.started" in standby.said
    active.start()
    return seconds


def broker_killed(here: Installation) -> float:
    """The node that all devices and the third ingest process are connected to."""
    node, ingest = here.nodes.nodes[0], here.ingest[3][0]
    assert f"port={node.port} " in [line for line in ingest.said.splitlines() if "broker.connected" in line][-1]
    leads = node.asked("jsz").get("meta_cluster", {}).get("leader") == node.name
    before = ingest.said.count("subscription.accepted")
    seconds = here.takeover_s(here.regions[3], node.kill, lambda: ingest.said.count("subscription.accepted") > before)
    print(f"the killed node {'led' if leads else 'did not lead'} the cluster")
    node.start()
    here.nodes.until_whole()
    return seconds


def primary_killed(here: Installation) -> float:
    """The standby, from which an API reads, is promoted by the script."""
    with here.pair.second.connect(DATABASE) as conn:
        assert conn.execute(READING).fetchone() != (0,)

    def strike() -> None:
        here.pair.first.kill()
        began = time.monotonic()
        here.pair.second.promote()
        print(f"promote.sh took {time.monotonic() - began:.1f} s")

    every = [region for regions in here.regions.values() for region in regions]
    seconds = here.takeover_s(every, strike)
    here.until_ready()
    for url in here.api_urls:
        answer = httpx.get(f"{url}/api/v1/latest", params={"limit": 1}, headers={"Authorization": f"Bearer {here.key}"})
        assert answer.status_code == 200
    return seconds


def the_former_primary_is_the_standby(here: Installation) -> None:
    pair = here.pair
    pair.wire.close()
    pair.wire = Proxy(pair.second.port)
    pair.first.follow(pair.second, "siaga_db_1", pair.wire.port)
    pair.second.wait_for("siaga_db_1")
    caught_up(pair.second, pair.first)
    with pair.first.connect(DATABASE) as one, pair.second.connect(DATABASE) as other:
        assert one.execute(STORED).fetchone() == other.execute(STORED).fetchone()
