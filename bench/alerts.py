"""Alerts: what evaluating 20 rules on each of 100,000 devices adds to the CPU of ingest, and publish → SSE.

The first is ingest without the broker: packets, checks, evaluation and the transaction, on a PostgreSQL that loses
nothing; rounds with rules and without take turns. The second is a whole `siaga up` under a steady load with probes.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count, cycle, islice
from pathlib import Path
from statistics import median
from time import process_time

from alerts.engine import evaluate
from alerts.rule import BY_WORKER, Rule, check, shipped
from bench import lamps
from bench.ingest.table import Judged
from bench.measure import keep_json
from bench.servers import TEMPLATE, database
from devices.batch import Packet
from devices.checks import check as check_quality
from devices.device import Device
from devices.kinds import KINDS
from ingest.ground import Ground, take_up
from ingest.intake import Limits, take_in
from runtime.settings import Settings
from simulator.fleet import make_fleet
from simulator.load.main import LoadOptions, run_load
from tests.stack import Stack

RULES, BATCH = 20, 5_000
ADDED_BAR, SSE_BAR_MS = 0.25, 500.0
# 26 November 2026, 19:30 WIB: lamps are lit, roads full, every rule has something to look at.
EVENING = 1_795_696_200.0
TOLD = re.compile(r"publish → SSE +([\d,]+) +([\d,.]+) +[\d,.]+ +([\d,.]+) ")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5, help="pairs of rounds, one with rules and one without")
    parser.add_argument("--rate", type=int, default=5_000, help="messages a second of the second part; 0: leave it out")
    parser.add_argument("--seconds", type=int, default=60, help="of the second part")


def run(asked: argparse.Namespace) -> int:
    judged, written = [], {"devices": asked.devices, "rules": RULES, "rate": asked.rate}
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder:
        if asked.rounds:
            with_rules, without = asyncio.run(_evaluation(Path(folder), asked.devices, asked.rounds))
            added = median(a / b for a, b in zip(with_rules, without, strict=True)) - 1
            best = f"{min(without):.2f} µs without rules, {min(with_rules):.2f} µs with {RULES}"
            print(f"CPU a reading, best of each: {best}; median of the pairs: +{added:.0%}")
            judged.append(Judged(f"{ADDED_BAR:.0%} / CPU added", ADDED_BAR / max(added, 1e-9), 1.0))
            written |= {"with_us": with_rules, "without_us": without}
        if asked.rate:
            p99_ms = _latency(Path(folder), asked.devices, asked.rate, asked.seconds)
            judged.append(Judged(f"{SSE_BAR_MS:.0f} ms / publish → SSE p99", SSE_BAR_MS / p99_ms, 1.0))
            written |= {"sse_p99_ms": p99_ms}
    print("   ".join(map(str, judged)))
    print(f"written to {keep_json('alerts', written | {'judged': [j._asdict() for j in judged]})}")
    return 0


def twenty(kind: str) -> list[Rule]:
    """The shipped rules of a kind that readings decide, and thresholds on its metrics up to 20."""
    found = [rule for rule in shipped() if rule.kind in (kind, "*") and rule.condition not in BY_WORKER]
    numbers = count(1)
    for metric in islice(cycle(KINDS[kind].metrics.values()), RULES):
        if len(found) == RULES:
            break
        number = next(numbers)
        # Hardly ever reached, as thresholds are that people keep; what does fire is the shipped rules'.
        condition, share = ("above", 1.01) if number % 2 else ("below", 0.0)
        made = check({
            "id": f"bound_{number}", "kind": kind, "condition": condition, "metric": metric.name, "hysteresis": 0.1,
            "delay_off_s": 600,
            "level": [{"severity": 0, "bound": metric.low + share * (metric.high - metric.low), "delay_on_s": 300}],
        })  # fmt: skip
        assert isinstance(made, Rule), made
        found.append(made)
    return found


async def _evaluation(folder: Path, number: int, rounds: int) -> tuple[list[float], list[float]]:
    """µs of CPU a reading of every round, with rules and without."""
    devices = make_fleet(number, lamps.SEED)
    rules = tuple({rule.variant: rule for kind in KINDS for rule in twenty(kind)}.values())
    with database(folder) as postgres:
        await asyncio.to_thread(lamps.register, postgres.url(TEMPLATE), devices)
        packets = _packets(devices)
        print(f"{number:,} devices, {len(packets):,} readings a round in batches of {BATCH:,}", flush=True)
        found: tuple[list[float], list[float]] = [], []
        for n in range(2 * rounds):
            mode = (n + n // 2) % 2  # with, without, without, with: whatever drifts is fair to both
            url = postgres.create(f"bench_alerts_{n}", TEMPLATE)
            settings = Settings(database_url=url)
            ground = await take_up(settings)
            ground.engine.rules = rules if mode == 0 else ()
            found[mode].append(await _round(ground, packets, Limits.of(settings)))
            await ground.close()
            postgres.drop(f"bench_alerts_{n}")
            print(f"round {n // 2 + 1}, {('with', 'without')[mode]} rules: {found[mode][-1]:.2f} µs", flush=True)
        return found


def _packets(devices: Sequence[Device]) -> list[Packet]:
    now = EVENING
    at = datetime.fromtimestamp(now, UTC)
    return [Packet(m.topic, m.payload, at) for m in lamps.messages(devices, 2 * len(devices), 1, now)]


async def _round(ground: Ground, packets: Sequence[Packet], limits: Limits) -> float:
    """µs of our CPU a reading; the database's own is not in it."""
    began = process_time()
    for first in range(0, len(packets), BATCH):
        batch = take_in(packets[first : first + BATCH], ground.fleet, limits)
        checked = check_quality(ground.memory, ground.fleet, batch.readings)
        evaluated = evaluate(ground.engine, ground.fleet, checked.readings)
        batch = replace(batch, readings=checked.readings)
        await ground.writer.write(batch, evaluated, packets[first].received_at, checked.learnt)
        ground.engine.apply(evaluated)
        ground.memory.apply(checked.learnt)
    return (process_time() - began) / len(packets) * 1e6


def _latency(folder: Path, devices: int, rate: int, seconds: int) -> float:
    """p99 of publish → SSE in ms, with `rate` messages a second of so many devices beside the probes."""
    stack = Stack(folder / "stack", "--no-simulator")
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        print(line, flush=True)

    try:
        stack.start()
        run_load(
            LoadOptions(
                stack.env["SIAGA_MQTT_URL"], devices, rate, seconds=seconds, api_url=stack.env["SIAGA_API_URL"],
                api_key=stack.env["SIAGA_API_KEY"], processes=1,
            ),
            say,
        )  # fmt: skip
        stack.stop()
    finally:
        stack.close()
    (told,) = [found for line in said if (found := TOLD.match(line))]
    return float(told[3].replace(",", ""))
