"""The client against the real API, with a real database and ingest's own intake of posted readings beside it."""

from __future__ import annotations

import asyncio
import csv
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from ingest.inbox import take_posted
from ingest.loop import Loop
from runtime.settings import SettingError, Settings
from siaga.client import AlertChanged, ApiError, Beat, Client, Event, LatestChanged, Reset, SiagaError, UnreachableError
from storage import keys
from tests.api.conftest import KEYS, Town
from tests.failure.proxy import Proxy
from tests.servers import free_port
from tests.serving import serving
from tests.storage.world import GAUGE, World, packet

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
WIB = "2026-11-24T19:10:00+07:00"


class Served(NamedTuple):
    """An API, and a way past it to its database."""

    url: str
    town: Town
    database_url: str

    def client(self, role: str = "viewer", **options: float) -> Client:
        return Client(self.url, KEYS[role], **options)  # type: ignore[arg-type]


@pytest.fixture
def served(database_url: str) -> Iterator[Served]:
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC") as conn:
        for role, key in KEYS.items():
            row = (f"a {role}", keys.digest(key), role)
            conn.execute("INSERT INTO api_key (name, digest, role) VALUES (%s, %s, %s)", row)
        settings = Settings(database_url=database_url, live_poll_s=0.05, page_max=100, live_replay_max=50)
        with serving(settings) as url:
            yield Served(url, Town(conn), database_url)


@pytest.fixture
def viewer(served: Served) -> Iterator[Client]:
    with served.client() as client:
        yield client


@pytest.fixture
def operator(served: Served) -> Iterator[Client]:
    with served.client("operator") as client:
        yield client


@pytest.fixture
def engineer(served: Served) -> Iterator[Client]:
    with served.client("engineer") as client:
        yield client


@pytest.fixture
def ingest(served: Served) -> Iterator[None]:
    """Stores what is posted, as the ingest process does, for a gauge that is registered."""
    over, ready = threading.Event(), threading.Event()

    async def work() -> None:
        world = await World.make(served.database_url, GAUGE)
        loop = Loop(world.settings, None, world.ground, asyncio.Event())  # type: ignore[arg-type]
        ready.set()
        while not over.is_set():
            if not await take_posted(world.ground, world.limits, None, loop._store):
                await asyncio.sleep(0.01)
        await world.ground.close()

    working = threading.Thread(target=lambda: asyncio.run(work()))
    working.start()
    assert ready.wait(30)
    yield
    over.set()
    working.join()


def test_who_and_what_there_is(served: Served, viewer: Client) -> None:
    me = viewer.me()
    assert (me.name, me.role, me.regions, me.now.tzinfo) == ("a viewer", "viewer", None, UTC)
    kinds = {kind.kind: kind for kind in viewer.kinds()}
    assert {metric.name: metric.unit for metric in kinds["water_level"].metrics}["level_m"] == "m"
    served.town.gauge("wl-1")
    served.town.alert("wl-1", "siaga", severity=2, kind="water_level", metric="level_m")
    device = viewer.device("wl-1")
    assert (device.kind, device.attributes["siaga_3_m"], device.lat) == ("water_level", 2.0, 2.98)
    assert device.alert is not None
    assert (device.alert.severity, device.alert.acked) == (2, False)


def test_page_after_page_until_the_end(served: Served, viewer: Client) -> None:
    for number in range(250):
        served.town.device(f"lamp-{number:03}", district="12.09.20" if number % 2 else "12.09.19")
    assert [device.id for device in viewer.devices()] == [f"lamp-{number:03}" for number in range(250)]
    assert len(list(viewer.devices(district="12.09.20", limit=7))) == 125
    assert len(list(viewer.devices(bbox=(99.5, 2.9, 99.7, 3.0), kind="streetlight"))) == 250
    assert [each["id"] for each in viewer.items("/devices", fields=["id"], limit=100)][-1] == "lamp-249"


def test_a_slip_is_refused_and_answers_nothing(viewer: Client) -> None:
    with pytest.raises(TypeError, match="there is no distrct; there are district, panel"):
        viewer.devices(distrct="12.09.20")  # type: ignore[call-arg]


def test_readings_with_times_of_any_zone(served: Served, viewer: Client) -> None:
    served.town.gauge("wl-1")
    since = datetime.fromisoformat(WIB)
    for minute in range(230):
        served.town.reading("wl-1", "water_level", since + minute * MINUTE, level_m=1 + minute / 100, seq=minute)
    found = list(viewer.readings("wl-1", since=since, until=since + 220 * MINUTE))
    assert [each.seq for each in found] == list(range(220))
    assert (found[0].ts, found[0].ts.tzinfo) == (since, UTC)
    assert (found[219].values["level_m"], found[219].siaga, found[0].siaga) == (3.19, 1, 4)
    assert found[0].values["rain_mm"] is None
    (curve,) = viewer.series(["wl-1"], since=WIB, until=since + 230 * MINUTE, points=50)
    assert (curve.metric, len(curve.t)) == ("level_m", len(curve.v))
    with pytest.raises(ValueError, match="has no zone"):
        next(viewer.readings("wl-1", since=datetime(2026, 11, 24)))  # noqa: DTZ001
    with pytest.raises(ApiError, match="device 'wl-2' is not known") as refused:
        list(viewer.readings("wl-2"))
    assert refused.value.status == 404


def test_latest_and_aggregates(served: Served, viewer: Client) -> None:
    served.town.gauge("wl-1", attributes={"river": "Silau", "siaga_3_m": 2.0})
    served.town.latest("wl-1", "water_level", NOW, level_m=2.5)
    served.town.rollup("water_level", "1h", "wl-1", NOW - 3 * HOUR, n=6, level_m_avg=2.2, level_m_max=2.4)
    (latest,) = viewer.latest(river="Silau")
    assert (latest.device_id, latest.ts, latest.values["level_m"], latest.siaga) == ("wl-1", NOW, 2.5, 3)
    asked = {"since": NOW - 5 * HOUR, "metric": ["level_m"], "agg": ["max"]}
    (bucket,) = viewer.metrics("water_level", device=["wl-1"], **asked)  # type: ignore[arg-type]
    assert (bucket.device_id, bucket.n, bucket.values) == ("wl-1", 6, {"level_m": {"max": 2.4}})
    (bucket,) = viewer.metrics("water_level", group="river", **asked)  # type: ignore[arg-type]
    assert (bucket.device_id, bucket.group, bucket.devices, bucket.n) == (None, "Silau", 1, 6)


def test_an_alert_that_changed_since_is_refused_with_what_it_is_now(served: Served, operator: Client) -> None:
    served.town.device("lamp-1")
    served.town.alert("lamp-1")
    (seen,) = operator.alerts()
    acked = operator.acknowledge(seen, "dicek")
    assert (acked.acked_by, acked.comment, acked.version > seen.version) == ("a operator", "dicek", True)
    with pytest.raises(ApiError) as refused:
        operator.comment(seen, "too late")
    assert refused.value.status == 412
    assert refused.value.current is not None
    assert (refused.value.current["version"], refused.value.current["acked_by"]) == (acked.version, "a operator")
    with pytest.raises(ApiError) as refused:
        operator.acknowledge(seen.id)
    assert refused.value.status == 409
    operator.comment(seen.id, "whatever it is now")
    operator.shelve(seen.id, datetime.now(UTC) + HOUR, "a test")
    assert operator.unshelve(seen.id).shelved_until is None
    assert operator.assign(seen.id, "Rudi").assignee == "Rudi"
    assert operator.assign(seen.id, None).assignee is None
    assert not operator.unacknowledge(seen.id, "not yet").acked
    whole = operator.alert(seen.id)
    assert [each.what for each in whole.history] == [
        "acked", "commented", "shelved", "unshelved", "assigned", "assigned", "unacked",
    ]  # fmt: skip
    assert operator.alert_counts().unacked["0"] == 1


def test_many_alerts_each_judged_on_its_own(served: Served, operator: Client) -> None:
    for name in ("lamp-1", "lamp-2"):
        served.town.device(name)
        served.town.alert(name)
    first, second = sorted(operator.alerts(), key=lambda alert: alert.id)
    operator.comment(first, "seen")
    done = operator.bulk("ack", [first, second, 10**9], reason="all of them")
    assert [each.outcome for each in done] == ["changed", "done", "unknown"]
    assert [each.outcome for each in operator.bulk("assign", [second.id], assignee="Rudi")] == ["done"]


def test_posted_once_however_often_it_is_sent(served: Served, engineer: Client, ingest: None) -> None:
    sent = [{"device": GAUGE.id, "ts": NOW - MINUTE, "level_m": 2.6}, {"device": GAUGE.id, "ts": NOW, "level_m": "x"}]
    posted = engineer.post_readings(sent, key="once")
    assert (posted.received, posted.stored, posted.quarantined) == (2, 1, 1)
    assert [(each.outcome, each.reason) for each in posted.items] == [("stored", None), ("quarantined", "malformed")]
    assert engineer.post_readings(sent, key="once") == posted
    assert engineer.post_readings(sent[:1]).duplicate == 1
    (reading,) = engineer.readings(GAUGE.id)
    assert (reading.ts, reading.values["level_m"]) == (NOW - MINUTE, 2.6)
    with pytest.raises(ApiError, match="Idempotency-Key"):
        engineer.post_readings(sent[:1], key="once")
    hours = engineer.ledger(GAUGE.id, since=NOW - 2 * HOUR)
    assert sum(hour.received for hour in hours) == 3
    assert engineer.missing(GAUGE.id) == []
    assert engineer.drift(GAUGE.id).device_id == GAUGE.id


def test_the_ledger_of_the_fleet(served: Served, viewer: Client) -> None:
    hour = NOW.replace(minute=0)
    for before in (1, 2):
        served.town.conn.execute(
            "INSERT INTO ledger_sum VALUES (%s, 'traffic', '12.09.19', 9, 7, 2, 0, 0, 1, 8, 7, now())",
            (hour - before * HOUR,),
        )
    first, second = viewer.ledger_summary(since=hour - 2 * HOUR)
    assert (first.hour, second.hour, first.kind, first.stored) == (hour - 2 * HOUR, hour - HOUR, None, 7)
    (line,) = viewer.ledger_summary(["kind", "district"], since=hour - 2 * HOUR, kind="traffic")
    assert (line.kind, line.district, line.hour, line.duplicate, line.completeness) == (
        "traffic", "12.09.19", None, 4, 0.875,
    )  # fmt: skip


def test_a_fleet_is_registered(engineer: Client) -> None:
    fleet = "id,kind,name,region,district,lat,lon\nlamp-1,streetlight,,12.09,12.09.19,,\nlamp-2,boat,,12.09,,,\n"
    with pytest.raises(ApiError, match="nothing was registered") as refused:
        engineer.import_devices(fleet)
    assert [each["row"] for each in refused.value.errors] == [3]
    done = engineer.import_devices(fleet, skip_bad=True)
    assert (done.added, done.skipped, done.errors[0].field) == (1, 1, "kind")
    assert engineer.find("/devices/lamp-2") is None
    assert engineer.find("/devices/lamp-1") is not None


def test_a_csv_goes_into_a_file(served: Served, viewer: Client, tmp_path: Path) -> None:
    served.town.gauge("wl-1")
    since = NOW - 20 * HOUR
    for minute in range(500):
        served.town.reading("wl-1", "water_level", since + minute * MINUTE, level_m=1.0, seq=minute)
    path = tmp_path / "readings.csv"
    with path.open("wb") as file:
        written = viewer.csv("/readings", file, device="wl-1", fields=["ts", "seq"])
    assert written == path.stat().st_size
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [int(row["seq"]) for row in rows] == list(range(500)), "more than a page of JSON holds"


def test_rules_are_changed_and_given_back(engineer: Client) -> None:
    before = next(rule for rule in engineer.rules(kind="water_level") if rule.id == "siaga")
    rule = {**before.rule, "enabled": False}
    changed = engineer.change_rule(rule, "a test", seen=before.version)
    assert (changed.enabled, changed.origin, changed.changed_by) == (False, "stored", "a engineer")
    with pytest.raises(ApiError) as refused:
        engineer.change_rule(rule, "from an old page", seen=before.version)
    assert (refused.value.status, refused.value.current) == (412, {"version": changed.version})
    given_back = engineer.give_back_rule(changed, "enough")
    assert given_back.now is not None
    assert given_back.now.enabled
    assert [each.reason for each in engineer.rule("siaga").history] == ["enough", "a test"]


def test_quarantine_in_as_many_requests_as_it_takes(served: Served, engineer: Client) -> None:
    async def fill() -> None:
        world = await World.make(served.database_url, GAUGE)
        sent = [{"ts": NOW + 7 * HOUR + timedelta(seconds=n), "level_m": 1.5} for n in range(120)]
        await world.send([packet(GAUGE.id, each, at=NOW) for each in sent], NOW)
        await world.ground.close()

    asyncio.run(fill())
    entries = list(engineer.quarantine(reason="future_timestamp", since=NOW - HOUR))
    assert len(entries) == 120
    assert [group.entries for group in engineer.quarantine_groups()] == [120]
    acted = list(engineer.act_on_quarantine("discard", note="a test", reason="future_timestamp"))
    assert len(acted) == 120
    assert {each.state for each in acted} == {"discarded"}
    (again,) = engineer.act_on_quarantine("claim", [entries[0].id])
    assert "discarded" in (again.problem or "")
    whole = engineer.quarantine_entry(entries[0].id)
    assert [(event.what, event.note) for event in whole.events] == [("discarded", "a test")]


def told(events: Iterator[Event], number: int) -> list[AlertChanged]:
    """So many changes of alerts, whatever comes between."""
    found: list[AlertChanged] = []
    for event in events:
        if isinstance(event, AlertChanged):
            found.append(event)
        if len(found) == number:
            return found
    raise AssertionError("a stream has no end")


def test_the_stream_goes_on_where_it_broke(served: Served) -> None:
    served.town.device("lamp-1")
    alert = served.town.alert("lamp-1")
    start = served.town.transition(alert)
    proxy = Proxy(int(served.url.rpartition(":")[2]))
    with Client(f"http://127.0.0.1:{proxy.port}", KEYS["viewer"]) as client:
        events = client.stream(topic=["alert"], last_id=start)
        sent = [served.town.transition(alert, why="one\u2028two") for _ in range(3)]
        seen = told(events, 3)
        for _ in range(3):
            proxy.mend()  # every connection is reset
            sent += [served.town.transition(alert) for _ in range(4)]
            seen += told(events, 4)
        events.close()  # type: ignore[attr-defined]
    proxy.close()
    assert [each.id for each in seen] == sent
    assert (seen[0].transition.why, seen[0].alert.id, seen[0].counts.open) == ("one\u2028two", alert, 1)


def test_values_beats_and_a_reset_are_told(served: Served, viewer: Client) -> None:
    served.town.device("lamp-1")
    alert = served.town.alert("lamp-1")
    start = served.town.transition(alert)
    for _ in range(51):
        newest = served.town.transition(alert)
    events = viewer.stream(last_id=start)
    assert next(events) == Reset(newest)
    served.town.latest("lamp-1", "streetlight", NOW, power_w=41.0)
    kinds: dict[type[Event], Event] = {}
    while not {Beat, LatestChanged} <= kinds.keys():
        event = next(events)
        kinds[type(event)] = event
    events.close()  # type: ignore[attr-defined]
    latest, beat = kinds[LatestChanged], kinds[Beat]
    assert isinstance(latest, LatestChanged)
    assert isinstance(beat, Beat)
    assert [(item.device_id, item.values["power_w"]) for item in latest.items] == [("lamp-1", 41.0)]
    assert beat.now.tzinfo is UTC


def test_refusals_say_what_to_do(served: Served, viewer: Client) -> None:
    with pytest.raises(ApiError) as refused:
        list(viewer.devices(limit=10_000))
    assert (refused.value.status, refused.value.errors[0]["field"]) == (422, "limit")
    assert "SIAGA_PAGE_MAX" in refused.value.detail
    assert refused.value.request_id
    with pytest.raises(ApiError, match=r"needs the role operator.*operator to act on alerts") as refused:
        viewer.acknowledge(1)
    assert refused.value.status == 403
    with Client(served.url, "wrong") as nobody, pytest.raises(ApiError, match=r"SIAGA_API_KEY.*must be valid"):
        nobody.me()
    with Client(served.url, "wrong") as nobody, pytest.raises(ApiError, match="HTTP 401"):
        next(nobody.stream())


def test_nobody_there_is_said_at_once() -> None:
    with Client(f"http://127.0.0.1:{free_port()}", "key", patience_s=3600) as client:
        with pytest.raises(UnreachableError, match="Is SIAGA_API_URL right, and the API running"):
            client.me()
        with pytest.raises(SiagaError):
            next(client.stream())


def test_it_is_made_from_the_environment(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIAGA_API_KEY", raising=False)
    monkeypatch.delenv("SIAGA_API_URL", raising=False)
    with pytest.raises(SettingError, match=r"SIAGA_API_URL is not set.*siaga env"):
        Client.from_environment()
    monkeypatch.setenv("SIAGA_API_URL", f"{served.url}/")
    with pytest.raises(SettingError, match="SIAGA_API_KEY is not set"):
        Client.from_environment()
    monkeypatch.setenv("SIAGA_API_KEY", KEYS["viewer"])
    with Client.from_environment() as client:
        assert client.me().role == "viewer"
    for wrong in ("localhost:8800", "http://a:x", "ftp://here"):
        monkeypatch.setenv("SIAGA_API_URL", wrong)
        with pytest.raises(SettingError, match=r"SIAGA_API_URL.* is no address"):
            Client.from_environment()
