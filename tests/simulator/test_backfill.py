"""History: arrays of one device's past readings, which the live city goes on from."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from itertools import pairwise
from typing import Any

import httpx
import pytest

from devices.kinds import KINDS
from devices.payload import decode, unknown_fields
from simulator import backfill
from simulator.backfill import PER_MESSAGE, publish_history, with_history
from simulator.city import City, Happenings
from simulator.fleet import make_fleet
from simulator.items import Item, foresee
from simulator.pace import FIELD_PACE_S
from simulator.progress import Progress
from tests.simulator.field import HOUR_S, wib

FLEET = tuple(make_fleet(60, 1))


class Lane:
    """A connection that takes everything at once and remembers it."""

    connections, connected = 1, True

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []

    @property
    def published(self) -> int:
        return len(self.taken)

    acknowledged = published

    async def publish(self, topic: str, payload: bytes) -> None:
        self.taken.append((topic, payload))


async def history(city: City, hours: float, skip: set[str] | None = None, lanes: int = 1) -> tuple[list[Lane], int]:
    to = [Lane() for _ in range(lanes)]
    progress = Progress(to, lambda line: None)  # type: ignore[arg-type]
    return to, await publish_history(city, hours * HOUR_S, skip or set(), to, progress)  # type: ignore[arg-type]


def by_device(lanes: list[Lane]) -> dict[str, list[list[dict[str, Any]]]]:
    """Messages of each device, as its readings."""
    kinds = {device.id: KINDS[device.kind] for device in FLEET}
    found = defaultdict(list)
    for lane in lanes:
        for topic, payload in lane.taken:
            _, _, region, device_id, _ = topic.split("/")
            decoded = decode(kinds[device_id], payload)
            unknown = unknown_fields(kinds[device_id], decoded.items)
            assert (region, decoded.bad, unknown) == ("12.09", (), 0)
            found[device_id].append(decoded.items)
    return dict(found)


def city(start: float = wib(19), **happenings: Any) -> City:
    return City(FLEET, 1, start, happenings=Happenings(**happenings))


async def test_every_device_has_its_readings_at_the_pace_of_real_ones() -> None:
    lanes, number = await history(city(), 36, lanes=3)
    messages = by_device(lanes)
    assert messages.keys() == {device.id for device in FLEET}
    total = 0
    for device in FLEET:
        parts = messages[device.id]
        assert all(1 <= len(part) <= PER_MESSAGE == 50 for part in parts)
        items = [item for part in parts for item in part]
        times = [ts / 1000 if isinstance(ts, int) else ts.timestamp() for ts in (item["ts"] for item in items)]
        assert {round(b - a) for a, b in pairwise(times)} == {FIELD_PACE_S[device.kind]}
        assert wib(19) - 36 * HOUR_S <= times[0] < wib(19) - 36 * HOUR_S + FIELD_PACE_S[device.kind]
        assert wib(19) - FIELD_PACE_S[device.kind] <= times[-1] < wib(19)
        assert [item["seq"] for item in items] == list(range(len(items)))
        assert len({item["boot"] for item in items}) == 1
        total += len(items)
    assert total == number
    topics = [{topic for topic, _ in lane.taken} for lane in lanes]
    assert sum(map(len, topics)) == len(FLEET), "a device keeps its connection"


async def test_devices_that_have_readings_are_left_alone() -> None:
    skip = {device.id for device in FLEET[::2]}
    lanes, number = await history(city(), 6, skip)
    messages = by_device(lanes)
    assert messages.keys() == {device.id for device in FLEET} - skip
    assert sum(len(part) for parts in messages.values() for part in parts) == number


@pytest.mark.parametrize("start", [wib(3.3), wib(14), wib(21)])
async def test_the_live_city_goes_on_where_it_ends(start: float) -> None:
    """The same rivers and lamps: from the last value of the past to the first live one is no more than a step."""
    live = city(start, opening=False)
    lanes, _ = await history(live, 12)
    messages = by_device(lanes)
    first = {r.device: r for r in reversed(live.readings(live.start_ms, live.start_ms + 60_000))}
    boots = 0
    for i, device in enumerate(FLEET):
        (*_, before), after = messages[device.id][-1], first[i].fields
        boots += before["boot"] != after["boot"]
        was, then = (stored(i, fields) for fields in (before, after))
        match device.kind:
            case "water_level":
                assert then["level_m"] == pytest.approx(was["level_m"], abs=0.12)
            case "streetlight":
                for counter in ("energy_wh", "operating_h", "switch_count"):
                    assert 0 <= then[counter] - was[counter] <= {"energy_wh": 50, "operating_h": 0.3}.get(counter, 1)
                assert then["voltage_v"] == pytest.approx(was["voltage_v"], abs=8)
    assert boots == len(FLEET), "the history is of another boot: seq counts from 0 in both"


def stored(device: int, fields: dict[str, Any]) -> dict[str, float]:
    item = Item(device, 0, 0, 0, "", {name: fields.get(name) for name in fields if name != "ts"})
    foresee(FLEET[device].kind, [item], FLEET)
    return {name: float("nan") if value is None else value for name, value in item.values.items()}


async def test_a_storm_of_the_past_is_in_it_and_the_river_is_still_high() -> None:
    """History is measured on the rivers of the city to come, not on rivers of its own."""
    live = City(FLEET, 3, wib(6), happenings=Happenings(opening=True))
    lanes, _ = await history(live, 3)
    first = {r.device: r.fields for r in reversed(live.readings(live.start_ms, live.start_ms + 60_000))}
    (*_, last) = by_device(lanes)["wl-buntu-pane"][-1]
    assert stored(0, first[0])["level_m"] == pytest.approx(stored(0, last)["level_m"], abs=0.25)
    assert stored(0, last)["level_m"] > 2, "the opening flood does not fall from the sky"


async def test_a_long_history_is_the_same_as_a_short_one_where_they_meet() -> None:
    long, short = [by_device((await history(city(), hours))[0]) for hours in (30, 7)]
    for device in FLEET:
        late, early = ([item for part in found[device.id] for item in part] for found in (long, short))
        for a, b in zip(late[-len(early) :], early, strict=True):
            assert {n: v for n, v in a.items() if n not in ("seq", "boot")} == {
                n: v for n, v in b.items() if n not in ("seq", "boot")
            }


async def test_devices_with_readings_are_asked_for_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[httpx.Request] = []
    pages = {None: (["a", "b"], "next"), "next": (["c"], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        items, cursor = pages[request.url.params.get("cursor")]
        return httpx.Response(200, json={"items": [{"device_id": i} for i in items], "next_cursor": cursor})

    client = partial(httpx.AsyncClient, transport=httpx.MockTransport(answer))
    monkeypatch.setattr(backfill.httpx, "AsyncClient", client)
    assert await with_history("http://api", "secret") == {"a", "b", "c"}
    # No limit: how long a page may be is the server's to say.
    assert [str(request.url) for request in asked] == [
        "http://api/api/v1/latest",
        "http://api/api/v1/latest?cursor=next",
    ]
    assert {request.headers["authorization"] for request in asked} == {"Bearer secret"}


async def test_an_api_that_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    client = partial(httpx.AsyncClient, transport=httpx.MockTransport(lambda request: httpx.Response(403)))
    monkeypatch.setattr(backfill.httpx, "AsyncClient", client)
    with pytest.raises(httpx.HTTPError):
        await with_history("http://api", "secret")
