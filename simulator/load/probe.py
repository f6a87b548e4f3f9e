"""Probes: how long a reading takes to be committed, to raise an alert, and to reach a browser, seen from outside.

A probe is a gauge of its own (`probe-…`) that is registered, publishes one reading above its Siaga 1 and is silent ever
after. Commits and alerts are found by asking the API until they are there: upper bounds, with the request and POLL_S in
them. As any Siaga 1, a probe's alert sends notices where SIAGA_NOTIFY_URLS says so. At the end the alerts of probes are
acknowledged with a comment that says what they were; the gauges stay registered.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx

from devices.device import Device
from devices.payload import encode
from devices.topics import readings_topic
from runtime.log import get_logger
from runtime.mqtt_url import parse_url
from runtime.stop import sleep_until
from simulator.load.latency import Histogram
from simulator.mqtt.publish import Publisher
from simulator.register import RegisterError, register

log = get_logger("simulator.load.probe")

BOUNDS_M = {"siaga_3_m": 1.0, "siaga_2_m": 2.0, "siaga_1_m": 3.0}
LEVEL_M = 3.5
COMMENT = "uji beban (load probe), bukan keadaan nyata"
# The API is asked every 5 ms, and more rarely the longer it takes: asking must not be the load that is measured.
POLL_S, POLL_SHARE = 0.005, 0.02
BLOCK = 100  # gauges registered at a time: the pace is seldom held up
WINDOW = 1_000
PATIENCE_S = 30.0
TIMEOUT_S = 10.0
STREAM_SILENCE_S = 60.0  # its beat comes every 5 s
RETRY_S = 1.0
ACKS_AT_ONCE = 8


class Probes:
    """Probes at a steady pace of per_s a second, and what they measured."""

    def __init__(self, mqtt_url: str, client_id: str, api_url: str, api_key: str, region: str, per_s: float) -> None:
        self._api_url, self._api_key, self._region, self._per_s = api_url, api_key, region, per_s
        self._name = f"{int(time.time()):x}"
        self._publisher = Publisher(parse_url(mqtt_url), client_id, WINDOW)
        self._stopped, self._listening = asyncio.Event(), asyncio.Event()
        self._given: dict[str, float] = {}  # gauge → when its reading was given to the publisher
        self._streamed: dict[str, asyncio.Future[None]] = {}
        self._alerts: dict[str, int] = {}
        self._committed, self._alerted, self._heard = Histogram(), Histogram(), Histogram()
        self._seen = self._closed = 0
        self._trouble = ""

    async def run(self) -> None:
        """Probe until `stop` and give those under way PATIENCE_S; then acknowledge their alerts."""
        headers = {"Authorization": f"Bearer {self._api_key}"}
        async with httpx.AsyncClient(base_url=self._api_url, headers=headers, timeout=TIMEOUT_S) as client:
            tasks = [asyncio.create_task(self._publisher.run()), asyncio.create_task(self._listen(client))]
            try:
                await sleep_until(self._listening, TIMEOUT_S)
                await self._probe_all(client)
                await self._acknowledge_all(client)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        self._stopped.set()

    @property
    def unacknowledged(self) -> int:
        """Messages that the broker has not acknowledged."""
        return self._publisher.in_flight

    def rows(self) -> dict[str, Histogram]:
        return {
            "publish → committed": self._committed,
            "publish → alert event": self._alerted,
            "publish → SSE": self._heard,
        }

    def notes(self) -> list[str]:
        """What has to be known of the figures."""
        lines = [
            f"{len(self._given):,} probes; {self._closed:,} of their alerts acknowledged through the API",
            (
                f"committed and alert event are upper bounds: the API was asked every {1000 * POLL_S:.0f} ms, "
                f"or {POLL_SHARE:.0%} of the wait"
            ),
        ]
        if missing := len(self._given) - self._seen:
            lines.append(f"{missing:,} probes were not seen everywhere within {PATIENCE_S:.0f} s")
        if self._trouble:
            lines.append(f"probes ended early: {self._trouble}")
        return lines

    async def _probe_all(self, client: httpx.AsyncClient) -> None:
        number, due = 0, time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not await sleep_until(self._stopped, max(due - time.monotonic(), 0)):
                if number % BLOCK == 0:
                    try:
                        await register(self._api_url, self._api_key, self._gauges(number))
                    except RegisterError as error:
                        self._trouble = str(error)
                        log.error("probes.ended", why=self._trouble)
                        return
                group.create_task(self._probe(client, self._id(number)))
                number += 1
                due = max(due + 1 / self._per_s, time.monotonic())

    async def _probe(self, client: httpx.AsyncClient, device_id: str) -> None:
        """One gauge above its Siaga 1, until it has been seen everywhere."""
        streamed = self._streamed[device_id] = asyncio.get_running_loop().create_future()
        reading = {"ts": round(time.time() * 1000), "seq": 0, "boot": self._name, "level_m": LEVEL_M}
        self._given[device_id] = given = time.perf_counter()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._publisher.publish(readings_topic(self._region, device_id), encode(reading))
                await asyncio.gather(
                    self._find(client, "latest", device_id, self._committed),
                    self._find_alert(client, device_id),
                    streamed,
                )
                self._seen += 1
        del self._streamed[device_id]
        if not streamed.done():
            log.warning("probe.unseen", device=device_id, waited_s=round(time.perf_counter() - given, 1))

    async def _find_alert(self, client: httpx.AsyncClient, device_id: str) -> None:
        self._alerts[device_id] = (await self._find(client, "alerts", device_id, self._alerted))["id"]

    async def _find(self, client: httpx.AsyncClient, what: str, device_id: str, took: Histogram) -> dict[str, Any]:
        """Ask until there is one of the gauge; note how long it took since it was published."""
        while (found := await _first(client, what, device_id)) is None:  # noqa: ASYNC110  # the API has no event for it
            await asyncio.sleep(max(POLL_S, POLL_SHARE * (time.perf_counter() - self._given[device_id])))
        took.add([time.perf_counter() - self._given[device_id]])
        return found

    async def _listen(self, client: httpx.AsyncClient) -> None:
        """Follow the live stream until cancelled."""
        told = ""
        while True:
            try:
                patience = httpx.Timeout(TIMEOUT_S, read=STREAM_SILENCE_S)
                async with client.stream("GET", "/api/v1/stream", timeout=patience) as answer:
                    answer.raise_for_status()
                    async for device_id in _alerted(answer, self._listening):
                        streamed = self._streamed.get(device_id)
                        if streamed is not None and not streamed.done():
                            self._heard.add([time.perf_counter() - self._given[device_id]])
                            streamed.set_result(None)
            except httpx.HTTPError as error:
                if (text := str(error) or type(error).__name__) != told:
                    told = text
                    log.warning("stream.lost", error=told)
            await asyncio.sleep(RETRY_S)

    async def _acknowledge_all(self, client: httpx.AsyncClient) -> None:
        ids = list(self._given)
        for at in range(0, len(ids), ACKS_AT_ONCE):
            await asyncio.gather(*(self._acknowledge(client, device_id) for device_id in ids[at : at + ACKS_AT_ONCE]))

    async def _acknowledge(self, client: httpx.AsyncClient, device_id: str) -> None:
        number = self._alerts.get(device_id)
        if number is None:  # it may have come after we lost patience
            found = await _first(client, "alerts", device_id)
            if found is None:
                return
            number = found["id"]
        try:
            answer = await client.post(
                f"/api/v1/alerts/{number}/ack", headers={"If-Match": "*"}, json={"comment": COMMENT}
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("probe.not_acknowledged", alert=number, error=str(error))
        else:
            self._closed += 1

    def _id(self, number: int) -> str:
        return f"probe-{self._name}-{number + 1:05d}"

    def _gauges(self, first: int) -> list[Device]:
        attributes = {**BOUNDS_M, "authority": "uji beban, bukan ambang resmi", "official": False}
        return [
            Device(self._id(n), "water_level", f"Uji beban {n + 1}", self._region, attributes=attributes)
            for n in range(first, first + BLOCK)
        ]


async def _first(client: httpx.AsyncClient, what: str, device_id: str) -> dict[str, Any] | None:
    """The first item of a collection for a gauge; None while there is none, or while the API does not answer."""
    try:
        answer = await client.get(f"/api/v1/{what}", params={"device": device_id, "limit": 1})
    except httpx.TransportError:
        return None
    items = answer.json()["items"] if answer.is_success else []
    return dict(items[0]) if items else None


async def _alerted(answer: httpx.Response, listening: asyncio.Event) -> AsyncIterator[str]:
    """Devices of the `alert` events of a live stream. listening is set when the stream has begun."""
    name = ""
    async for line in answer.aiter_lines():
        listening.set()
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif name == "alert" and line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))["alert"]["device_id"]
