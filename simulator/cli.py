"""`siaga simulate`: a city on a laptop, or a recorded file, over MQTT as real devices would send it."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from devices.device import Device
from devices.fleet_csv import write_csv
from devices.topics import is_region
from runtime.log import setup
from runtime.mqtt_url import Broker, parse_url
from runtime.settings import SettingError, Settings, load, require
from runtime.stop import stop_event
from simulator import feed
from simulator.city import City
from simulator.fleet import make_fleet
from simulator.pace import RateError
from simulator.progress import Progress
from simulator.publish import Publisher
from simulator.register import RegisterError, register
from simulator.replay import fleet as replay_fleet
from simulator.replay import rows
from simulator.replay_map import MapError, ReplayMap, read_map

_DURATION = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?$")


def simulate(
    devices: Annotated[int, typer.Option(min=1, max=1_000_000, help="Size of the invented fleet, devices.")] = 200,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Same seed and start, same readings.")] = 1,
    rate: Annotated[
        float | None,
        typer.Option(help="Messages a second of the whole fleet. Default: demo pace, about 24 for 200 devices."),
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="How long to run: 90s, 10m, 1h30m. Default: until stopped.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Kemendagri code in topics and fleet. Default: SIAGA_REGION (12.09).")
    ] = None,
    fleet_out: Annotated[
        Path | None, typer.Option(help="Write the fleet as CSV, for `siaga devices import`.", dir_okay=False)
    ] = None,
    fleet_only: Annotated[bool, typer.Option("--fleet-only", help="Write the fleet and end.")] = False,
    replay: Annotated[
        Path | None, typer.Option(help="Send a recorded CSV instead of an invented city.", dir_okay=False)
    ] = None,
    map_: Annotated[
        Path | None,
        typer.Option("--map", help="What the columns of --replay mean (TOML, docs/simulator.md).", dir_okay=False),
    ] = None,
    speed: Annotated[
        str, typer.Option(help="Of --replay: max, or times faster than recorded: 60 is an hour a minute.")
    ] = "max",
    connections: Annotated[int, typer.Option(min=1, max=1_000, help="MQTT connections shared by the fleet.")] = 1,
    in_flight: Annotated[
        int, typer.Option(min=1, max=60_000, help="Messages sent and not yet acknowledged, over all connections.")
    ] = 500,
    client_id: Annotated[
        str | None,
        typer.Option(help="MQTT client ids are this and -1, -2, … Default: siaga-sim, for --replay siaga-replay."),
    ] = None,
) -> None:
    """Publish readings of an invented city (or of a recorded file) to SIAGA_MQTT_URL, QoS 1.

    With SIAGA_API_URL and SIAGA_API_KEY set, the fleet is registered first. Ends when the broker has acknowledged
    every message, and says so.
    """
    try:
        settings = load()
        setup("simulator", settings.log_level)
        plan = _plan(replay, map_)
        if plan is not None and (rate is not None or for_ is not None):
            raise ValueError("--rate and --for are for an invented city; a --replay lasts as long as its file")
        seconds = None if for_ is None else parse_duration(for_)
        factor = _speed(speed)
        code = region or settings.region
        if not is_region(code):
            raise typer.BadParameter(f"--region {code!r} is no Kemendagri code such as 12.09")
        if fleet_only and fleet_out is None:
            raise typer.BadParameter("--fleet-only needs --fleet-out FILE")
        fleet = make_fleet(devices, seed, code) if plan is None or replay is None else replay_fleet(replay, plan)
        if fleet_out is not None:
            with fleet_out.open("w", encoding="utf-8", newline="") as file:
                write_csv(file, fleet)
            _say(f"wrote {len(fleet):,} devices to {fleet_out}")
        if fleet_only:
            return
        broker = parse_url(require(settings.mqtt_url, "SIAGA_MQTT_URL"))
        name = client_id or ("siaga-sim" if plan is None else "siaga-replay")
        run = _Run(settings, broker, name, connections, in_flight, fleet, fleet_out)
        if plan is None or replay is None:
            done = asyncio.run(run.city(seed, rate, seconds))
        else:
            done = asyncio.run(run.file(replay, plan, factor))
    except (SettingError, MapError, RateError, RegisterError, ValueError, OSError) as error:
        typer.echo(f"siaga simulate: {error}", err=True)
        raise typer.Exit(2) from None
    if not done:
        raise typer.Exit(1)


class _Run:
    """One run against a broker; its methods say whether everything was sent and acknowledged."""

    def __init__(
        self,
        settings: Settings,
        broker: Broker,
        client_id: str,
        connections: int,
        in_flight: int,
        fleet: Sequence[Device],
        fleet_out: Path | None,
    ) -> None:
        self._settings, self._fleet, self._fleet_out = settings, fleet, fleet_out
        self._broker, self._client_id = broker, client_id
        self._connections, self._in_flight = connections, in_flight

    def _connect(self) -> AbstractAsyncContextManager[list[Publisher]]:
        return feed.publishers(self._broker, self._client_id, self._connections, self._in_flight)

    async def city(self, seed: int, rate: float | None, seconds: float | None) -> bool:
        """Live until `seconds` have passed or a stop signal came."""
        stop = stop_event()
        await self._register(stop)
        start = time.time()
        city = City(self._fleet, seed, start, rate=rate)
        until_ms = None if seconds is None else city.start_ms + round(seconds * 1000)
        _say(f"{len(self._fleet):,} devices, {city.pace.rate:.1f} msg/s, seed {seed}")
        async with self._connect() as to:
            progress = Progress(to, _say)
            await feed.until_stopped(feed.live(city, to, until_ms, progress), to, stop, progress)
            _say(progress.summary())
            return progress.published == progress.acknowledged

    async def file(self, path: Path, plan: ReplayMap, factor: float | None) -> bool:
        """Every row of a recorded file."""
        stop = stop_event()
        await self._register(stop)
        _say(f"{len(self._fleet):,} devices from {path}, region {plan.region}")
        async with self._connect() as to:
            progress = Progress(to, _say)
            work = feed.replay(rows(path, plan), plan.region, to, factor, progress)
            refused = await feed.until_stopped(work, to, stop, progress)
            _say(progress.summary())
            if refused:
                _say(f"{refused:,} rows were NOT sent: they are no readings by this map (the first are in the log).")
            return refused == 0 and progress.published == progress.acknowledged

    async def _register(self, stop: asyncio.Event) -> None:
        url, key = self._settings.api_url, self._settings.api_key
        if url and key:
            asked = asyncio.ensure_future(register(url, key.get_secret_value(), self._fleet))
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait([asked, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not asked.done():
                asked.cancel()
                raise RegisterError("stopped while waiting for the API")
            counts = asked.result()
            _say("registered: " + ", ".join(f"{n:,} {what}" for what, n in counts.items()))
        else:
            file = self._fleet_out or "fleet.csv"
            first = "" if self._fleet_out else " (write it with --fleet-out fleet.csv)"
            _say(f"register the fleet with: siaga devices import {file}{first}")


def parse_duration(text: str) -> float:
    """Seconds of 90s, 10m, 1h30m or plain seconds. Raises ValueError."""
    match = _DURATION.match(text.strip())
    seconds = sum(float(n or 0) * unit for n, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
    if seconds <= 0:
        raise ValueError(f"--for {text!r}: write 90s, 10m or 1h30m")
    return seconds


def _plan(replay: Path | None, map_: Path | None) -> ReplayMap | None:
    if (replay is None) != (map_ is None):
        raise ValueError("--replay FILE.csv and --map map.toml go together")
    return None if map_ is None else read_map(map_)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise ValueError(f"--speed {text!r}: write max, or how many times faster than recorded, such as 60")
    return factor


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
