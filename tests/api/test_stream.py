"""The live stream: what a browser is told, in which order, and what it costs when nobody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from api import live, shapes
from api.routes import stream as route
from api.wanted import EVERYTHING

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def settings(settings: Any) -> Any:
    return settings.model_copy(update={"live_replay_max": 20})


@pytest.fixture(autouse=True)
def quick_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LATEST_S", 0.05)
    monkeypatch.setattr(live, "BEAT_S", 0.05)


def alerts(town: Any, number: int) -> list[int]:
    """Ids of as many transitions, each of its own alert."""
    made = []
    for i in range(number):
        rule = f"rule_{datetime.now(UTC).timestamp()}_{i}"
        made.append(town.transition(town.alert("lamp", rule=rule)))
    return made


async def ids(stream: Any, number: int) -> list[int]:
    return [int((await stream.next("alert"))[2]) for _ in range(number)]


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("does not come true within 10 s")


async def test_it_is_a_stream_that_no_proxy_keeps(streams: Any) -> None:
    stream = await streams()
    assert stream.status == 200
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in stream.headers
    assert (await stream.next())[2] == "0"


async def test_nobody_gets_none(streams: Any) -> None:
    assert (await streams(key=None)).status == 401
    assert (await streams(key="wrong")).status == 401


async def test_a_transition_is_told_with_its_alert_and_the_counts(streams: Any, town: Any) -> None:
    town.device("lamp", name="Jl. Imam Bonjol 1")
    stream = await streams()
    alert = town.alert("lamp", severity=2)
    event = town.transition(alert, "raised", 2)
    name, data, event_id = await stream.next("alert", "reset")
    assert (name, event_id) == ("alert", str(event))
    assert data.keys() == {"transition", "alert", "counts"}
    assert data["transition"].pop("alert_id") == alert
    shapes.Transition.model_validate(data["transition"])
    shapes.Alert.model_validate(data["alert"])
    shapes.Counts.model_validate(data["counts"])
    assert data["alert"]["title"]["id"] == "Jl. Imam Bonjol 1: lampu padam"
    assert data["counts"]["unacked"]["2"] == 1


async def test_an_acknowledgement_is_told(streams: Any, operator: Any, town: Any) -> None:
    town.device("lamp")
    alert = town.alert("lamp")
    stream = await streams()
    await operator.post(f"/api/v1/alerts/{alert}/ack", json={"comment": "saya"}, headers={"If-Match": "*"})
    _, data, _ = await stream.next("alert")
    assert (data["transition"]["what"], data["transition"]["who"]) == ("acked", "a operator")
    assert (data["alert"]["acked"], data["alert"]["version"]) == (True, 2)


async def test_changed_latest_values_are_told(streams: Any, town: Any, db: psycopg.Connection) -> None:
    town.gauge("wl")
    town.device("lamp")
    town.latest("lamp", "streetlight", NOW, power_w=40)
    stream = await streams()
    for level, siaga in ((1.0, 4), (2.6, 2)):
        town.latest("wl", "water_level", NOW + timedelta(minutes=level), level_m=level)
        while True:
            _, data, event_id = await stream.next("latest")
            items = {item["device_id"]: item for item in data["items"]}
            if "wl" in items:
                break
        assert event_id is None
        assert (items["wl"]["values"]["level_m"], items["wl"]["siaga"]) == (level, siaga)
        shapes.LatestReading.model_validate(items["wl"] | {"rate": None})


async def test_the_same_values_are_not_told_twice(streams: Any, town: Any) -> None:
    town.device("lamp")
    town.device("other")
    stream = await streams()
    town.latest("lamp", "streetlight", NOW, power_w=40)
    assert [i["device_id"] for i in (await stream.next("latest"))[1]["items"]] == ["lamp"]
    # Written anew with the same ts, as by a redelivery: it is not among what comes next.
    town.latest("lamp", "streetlight", NOW, power_w=40)
    town.latest("other", "streetlight", NOW, power_w=40)
    assert [i["device_id"] for i in (await stream.next("latest"))[1]["items"]] == ["other"]


async def test_the_beat_says_how_old_the_data_is(streams: Any, town: Any, db: psycopg.Connection) -> None:
    stream = await streams()
    _, first, event_id = await stream.next("beat")
    assert event_id is None
    assert first["lag_s"] is None
    assert first["readings_per_s"] is None
    assert abs(datetime.fromisoformat(first["now"]) - datetime.now(UTC)) < timedelta(minutes=5)
    town.device("lamp")
    town.latest("lamp", "streetlight", datetime.now(UTC) - timedelta(seconds=101), power_w=40)
    lag_s = None
    while lag_s is None:
        lag_s = (await stream.next("beat"))[1]["lag_s"]
    assert 99 < lag_s < 400
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    db.execute("INSERT INTO ledger (device_id, hour, received, stored) VALUES ('lamp', %s, 500, 500)", (hour,))
    while not (await stream.next("beat"))[1]["readings_per_s"]:
        pass


async def test_replay_is_everything_missed_once_and_in_order(streams: Any, town: Any) -> None:
    town.device("lamp")
    before = alerts(town, 3)
    missed = alerts(town, 5)
    stream = await streams(last_event_id=str(before[-1]))
    assert (await stream.next())[2] == str(before[-1])
    then = alerts(town, 3)
    assert await ids(stream, 8) == missed + then


async def test_replay_beside_what_happens_meanwhile(streams: Any, town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transitions committed while a client catches up, in chunks and with others connected."""
    monkeypatch.setattr(live, "CHUNK", 2)
    town.device("lamp")
    start = alerts(town, 1)[0]
    watching = await streams()
    missed = alerts(town, 9)
    joining = [asyncio.create_task(streams(last_event_id=str(start))) for _ in range(3)]
    meanwhile = await asyncio.to_thread(alerts, town, 8)
    everything = missed + meanwhile
    for stream in await asyncio.gather(*joining):
        assert await ids(stream, 17) == everything
    assert await ids(watching, 17) == everything


async def test_what_is_both_replayed_and_new_is_told_once(
    streams: Any, town: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed after a client has joined and before its replay is read: it stands in both."""
    town.device("lamp")
    start = alerts(town, 1)[0]
    ask = live.read_alerts.events_after
    between: list[int] = []

    async def asked(*arguments: Any) -> int:
        if not between:
            between.extend(alerts(town, 3))
            (client,) = app.state.context.live._clients
            await until(lambda: set(between) <= {event.id for event in client._waiting})
        return await ask(*arguments)

    monkeypatch.setattr(live.read_alerts, "events_after", asked)
    stream = await streams(last_event_id=str(start))
    await stream.next()
    await until(lambda: len(between) == 3)
    assert await ids(stream, 3) == between
    after = alerts(town, 1)
    assert await ids(stream, 1) == after


async def test_nothing_missed_nothing_replayed(streams: Any, town: Any) -> None:
    town.device("lamp")
    old = alerts(town, 4)
    stream = await streams(last_event_id=str(old[-1]))
    new = alerts(town, 1)
    assert (await stream.next("alert", "reset"))[2] == str(new[0])


@pytest.mark.parametrize("last_event_id", ["99999999999", "0" * 17 + "9" * 18, "-1", "abc", "١", "1.5"])
async def test_an_id_that_the_log_has_not_is_a_reset(streams: Any, town: Any, last_event_id: str) -> None:
    town.device("lamp")
    newest = alerts(town, 2)[-1]
    stream = await streams(last_event_id=last_event_id)
    name, data, event_id = await stream.next("alert", "reset")
    assert (name, data, event_id) == ("reset", {}, str(newest))
    new = alerts(town, 2)
    assert await ids(stream, 2) == new


async def test_too_much_missed_is_a_reset(streams: Any, town: Any) -> None:
    town.device("lamp")
    first, *missed = alerts(town, 22)
    stream = await streams(last_event_id=str(first))
    assert (await stream.next("alert", "reset"))[::2] == ("reset", str(missed[-1]))
    other = await streams(last_event_id=str(missed[0]))  # 20 missed: as many as are replayed
    assert await ids(other, 20) == missed[1:]


async def test_a_slow_client_is_reset_and_others_do_not_wait(
    streams: Any, town: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BACKLOG_EVENTS", 10)
    town.device("lamp")
    slow, quick = await streams(), await streams()
    assert (await slow.next("beat"))[0] == "beat"
    slow.pause()
    resets = live.metrics.LIVE_RESETS._value.get()
    new: list[int] = []
    while live.metrics.LIVE_RESETS._value.get() == resets:
        more = alerts(town, 4)
        assert await ids(quick, 4) == more
        new += more
    assert all(len(client._waiting) <= 11 for client in app.state.context.live._clients)
    slow.resume()
    seen: list[int] = []
    while True:
        name, _, event_id = await slow.next("alert", "reset")
        if name == "reset":
            break
        seen.append(int(event_id))
    assert seen == new[: len(seen)]
    # The reset says up to where it is up to date; from there on it misses nothing.
    at = int(event_id)
    last = alerts(town, 1)
    following = [i for i in new if i > at] + last
    assert await ids(slow, len(following)) == following


async def test_a_backlog_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BACKLOG_BYTES", 1000)
    client = live.Client(0, EVERYTHING)
    for number in range(1, 50):
        client.put(live.encode_event("alert", "x" * 300, number), number)
        assert sum(len(event.data) for event in client._waiting) <= 1000 + 400
    events = await client.take()
    assert events[0].data.startswith(b"event: reset\n")
    assert [event.id for event in events[1:]] == list(range(events[1].id or 0, 50))
    # One that is larger than all of it still gets through.
    client.put(live.encode_event("latest", "x" * 5000), 50)
    assert len(await client.take()) == 1


async def test_many_clients_get_the_same_bytes(streams: Any, town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event is encoded once: what waits for each client is the same object."""
    town.device("lamp")
    opened = [await streams() for _ in range(20)]
    put = live.Client.put
    given: dict[live.Client, list[bytes]] = {}

    def watched(client: live.Client, event: live.Event, cursor: int) -> None:
        if event.id is not None:
            given.setdefault(client, []).append(event.data)
        put(client, event, cursor)

    monkeypatch.setattr(live.Client, "put", watched)
    made = alerts(town, 3)
    for stream in opened:
        assert await ids(stream, 3) == made
    assert len(given) == 20
    assert {tuple(map(id, texts)) for texts in given.values()} == {tuple(map(id, next(iter(given.values()))))}


async def test_it_ends_when_the_key_is_withdrawn(
    streams: Any, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "CHECK_S", 0.0)
    stays = await streams(key="key-of-the-operator")
    ends = await streams()
    await ends.next("beat")
    db.execute("DELETE FROM api_key WHERE role = 'viewer'")
    async with asyncio.timeout(10):
        await ends.ended.wait()
    await stays.next("beat")
    assert not stays.ended.is_set()


async def test_a_database_that_is_away_shuts_nobody_out(
    streams: Any, town: Any, db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "CHECK_S", 0.0)
    town.device("lamp")
    stream = await streams()
    await stream.next("beat")
    for _ in range(3):
        db.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'siaga api' AND datname = current_database()"
        )
        new = alerts(town, 2)
        assert await ids(stream, 2) == new


async def test_an_error_of_ours_does_not_end_the_following(
    streams: Any, town: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.device("lamp")
    stream = await streams()
    failed = asyncio.Event()

    async def fail(*arguments: Any) -> Any:
        failed.set()
        monkeypatch.undo()
        raise KeyError("unforeseen")

    monkeypatch.setattr(live.read_alerts, "events", fail)
    async with asyncio.timeout(10):
        await failed.wait()
    new = alerts(town, 2)
    assert await ids(stream, 2) == new


async def test_nobody_looks_nobody_asks(streams: Any, town: Any, app: Any) -> None:
    town.device("lamp")
    pool = app.state.context.writes
    before = pool.get_stats().get("requests_num", 0)
    alerts(town, 2)
    await asyncio.sleep(0.5)  # ten polls
    assert pool.get_stats().get("requests_num", 0) == before
    stream = await streams()
    await stream.next("beat")
    await stream.close()
    await asyncio.sleep(0.2)  # the poll under way
    before = pool.get_stats().get("requests_num", 0)
    await asyncio.sleep(0.5)
    assert pool.get_stats().get("requests_num", 0) == before
    assert live.metrics.LIVE_CLIENTS._value.get() == 0
    # What happened meanwhile is not told to who comes next: it loads everything anyway.
    alerts(town, 1)
    again = await streams()
    new = alerts(town, 1)
    assert await ids(again, 1) == new


async def test_streams_end_when_the_server_stops(streams: Any, app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT_S", 3600.0)  # nothing else wakes it
    stream = await streams()
    await stream.next("beat")
    app.state.context.live.close()
    async with asyncio.timeout(10):
        await stream.ended.wait()


async def test_silence_is_broken_by_a_comment(streams: Any, app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SILENCE_S", 0.02)
    monkeypatch.setattr(live, "BEAT_S", 3600.0)
    stream = await streams()
    async with asyncio.timeout(10):
        while await stream._chunks.get() != b": silence\n\n":
            pass


async def test_a_client_is_told_only_what_it_asks_for(streams: Any, town: Any) -> None:
    town.device("lamp")
    town.device("far", district="12.09.01")
    town.gauge("wl")
    lamps = await streams(query="topic=alert&kind=streetlight")
    near = await streams(query="district=12.09.19&topic=alert")
    one = town.transition(town.alert("far"))
    two = town.transition(town.alert("wl", "level_high", kind="water_level"))
    three = town.transition(town.alert("lamp"))
    assert await ids(lamps, 2) == [one, three]
    assert await ids(near, 2) == [two, three]


async def test_an_incident_in_several_districts_is_told_to_each(streams: Any, town: Any) -> None:
    stream = await streams(query="topic=incident&district=12.09.19")
    town.device("lamp")
    town.transition(town.alert("lamp"))
    incident = town.transition(town.alert("$feeder/F-1", "lamps_out"))
    assert await ids(stream, 1) == [incident]


async def test_latest_values_are_filtered_and_those_who_want_the_same_share_the_bytes(
    streams: Any, town: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.device("lamp")
    town.device("nowhere", district=None)
    town.gauge("wl")
    queries = ("kind=streetlight", "kind=streetlight", "kind=streetlight&district=12.09.19", "topic=beat")
    opened = [await streams(query=query) for query in queries]
    given: dict[live.Wanted, set[int]] = {}
    put = live.Client.put

    def watched(client: live.Client, event: live.Event, cursor: int) -> None:
        if event.data.startswith(b"event: latest"):
            given.setdefault(client.wanted, set()).add(id(event.data))
        put(client, event, cursor)

    monkeypatch.setattr(live.Client, "put", watched)
    with town.conn.transaction():
        town.latest("lamp", "streetlight", NOW, power_w=40)
        town.latest("nowhere", "streetlight", NOW, power_w=40)
        town.latest("wl", "water_level", NOW, level_m=1.0)
    told = [{i["device_id"] for i in (await s.next("latest"))[1]["items"]} for s in opened[:3]]
    assert told == [{"lamp", "nowhere"}, {"lamp", "nowhere"}, {"lamp"}]
    assert [len(texts) for texts in given.values()] == [1, 1]
    assert (await opened[3].next("latest", "beat"))[0] == "beat"


async def test_a_client_that_leaves_alerts_out_is_not_reset_for_them(streams: Any, town: Any) -> None:
    """Its id goes on with the log, so that a reconnect does not count what it never wanted as missed."""
    town.device("lamp")
    stream = await streams(query="topic=beat")
    newest = alerts(town, 30)[-1]
    while (await stream.next())[2] != str(newest):
        pass
    again = await streams(query="topic=beat,latest", last_event_id=str(newest - 10))
    assert [(await again.next())[2] for _ in range(2)] == [str(newest - 10), str(newest)]


@pytest.mark.parametrize("query", ["topic=weather", "topic=", "topic=alert,", "kind=submarine", "district=x"])
async def test_a_wrong_filter_is_refused(viewer: Any, query: str) -> None:
    answer = await viewer.get(f"/api/v1/stream?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]
