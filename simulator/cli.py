"""`siaga simulate`: a city on a laptop, a scenario, a load or a recorded file, over MQTT as real devices send it."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from devices.fleet_csv import write_csv
from runtime.log import setup
from runtime.mqtt_url import parse_url
from runtime.settings import SettingError, Settings, load, require
from simulator import scenario as scenarios
from simulator.asked import IN_FLIGHT, Asked
from simulator.load.main import run_load
from simulator.pace import RateError
from simulator.register import RegisterError
from simulator.replay_map import MapError
from simulator.runs import Recorded, Run, Wanted
from simulator.scenario import ScenarioError
from simulator.truth.folder import TruthError

Wrong = (SettingError, MapError, RateError, RegisterError, ScenarioError, TruthError, ValueError, OSError)


def simulate(
    devices: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Size of the fleet. Default: 200, or the scenario's own.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Same seed and start, same readings.")] = 1,
    scenario: Annotated[
        str | None, typer.Option(help="Play a scenario: one of --scenarios, or a FILE.toml (docs/simulator.md).")
    ] = None,
    list_scenarios: Annotated[bool, typer.Option("--scenarios", help="List the scenarios and end.")] = False,
    start: Annotated[
        str | None,
        typer.Option(help="Begin then: 2026-11-20T00:00+07:00, now, or -24h. Default: now, or the scenario's own."),
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="How long, in its own time: 90s, 10m, 1h30m, 7d. Default: to its end.")
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(help="max, or how many times faster than real: 60 is an hour a minute. Default: 1 for a city."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="Write there what was sent and what must come of it, for `siaga verify`.", file_okay=False),
    ] = None,
    may_lose: Annotated[
        str | None,
        typer.Option(
            help="With a broker that forgets when killed: what it acknowledged so shortly before may be lost."
        ),
    ] = None,
    backfill: Annotated[
        str | None, typer.Option(help="First publish so much history of the city, as 30d; not where there is one.")
    ] = None,
    backfill_only: Annotated[bool, typer.Option("--backfill-only", help="Only the history, then end.")] = False,
    rate: Annotated[
        float | None,
        typer.Option(help="Messages a second of the whole fleet. Default: demo pace, about 24 for 200 devices."),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="Kemendagri code in topics and fleet; several as 12.08,12.09 share the fleet, panels and rivers "
            "whole. Default: SIAGA_REGION (12.09)."
        ),
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
    load_: Annotated[
        bool,
        typer.Option("--load", help="As much as asked for, from one process a core; prints percentiles of latency."),
    ] = False,
    batch: Annotated[int, typer.Option(min=1, max=1_000, help="Of --load: readings of a device in one message.")] = 1,
    processes: Annotated[
        int | None, typer.Option(min=1, max=256, help="Of --load: processes. Default: one a core.")
    ] = None,
    connections: Annotated[
        int | None,
        typer.Option(min=1, max=1_000, help="MQTT connections shared by the fleet. Default: 1; of --load 4."),
    ] = None,
    in_flight: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=60_000,
            help="Messages sent and not yet acknowledged, over all connections. Default: 500; of --load 5000.",
        ),
    ] = None,
    client_id: Annotated[
        str | None,
        typer.Option(help="MQTT client ids are this and -1, -2, … Default: siaga-sim, or what tells of the run."),
    ] = None,
) -> None:
    """Publish readings of an invented city, a scenario or a recorded file to SIAGA_MQTT_URL, QoS 1.

    With SIAGA_API_URL and SIAGA_API_KEY set, the fleet is registered first. Ends when the broker has acknowledged
    every message, and says so.
    """
    if list_scenarios:
        for name in scenarios.shipped():
            _say(f"{name:<16} {scenarios.read(name).title}")
        return
    try:
        settings = load()
        setup("simulator", settings.log_level)
        asked = Asked(
            devices, seed, region or settings.region, scenario, start, for_, speed, truth, may_lose, backfill,
            backfill_only, rate, fleet_only, replay, map_, load_, batch, processes, connections, in_flight, client_id,
        )  # fmt: skip
        if load_:
            done = run_load(asked.load_options(settings), _say)
            raise typer.Exit(0 if done else 1)
        wanted = asked.wanted(datetime.now(UTC))
        if fleet_out is not None:
            with fleet_out.open("w", encoding="utf-8", newline="") as file:
                write_csv(file, wanted.fleet)
            _say(f"wrote {len(wanted.fleet):,} devices to {fleet_out}")
        elif fleet_only:
            raise ValueError("--fleet-only needs --fleet-out FILE")
        done = fleet_only or _run(asked, wanted, settings, fleet_out)
    except Wrong as error:
        typer.echo(f"siaga simulate: {error}", err=True)
        raise typer.Exit(2) from None
    if not done:
        raise typer.Exit(1)


def _run(asked: Asked, wanted: Wanted | Recorded, settings: Settings, fleet_out: Path | None) -> bool:
    """Whether everything was acknowledged, and came out as it should."""
    broker = parse_url(require(settings.mqtt_url, "SIAGA_MQTT_URL"))
    run = Run(settings, broker, asked.connections or 1, asked.in_flight or IN_FLIGHT, _say, fleet_out)
    return asyncio.run(run.file(wanted) if isinstance(wanted, Recorded) else run.play(wanted))


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
