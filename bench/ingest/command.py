"""`python -m bench ingest`: the same backlog for every competitor, round after round, on one broker after the other."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import backlog, lamps
from bench.ingest import nodered, noop, ours, pipe, profile, stock
from bench.ingest.competitor import Competitor
from bench.ingest.drain import Drained, drain
from bench.ingest.table import OURS, as_json, judged, line, shown
from bench.measure import keep_json
from bench.options import names_of
from bench.servers import BROKERS, TEMPLATE, Broker, MissingError, broker, database
from devices.device import Device
from tests.servers import Postgres

COMPETITORS = {each.COMPETITOR.letter: each.COMPETITOR for each in (noop, stock, pipe, nodered, ours)}
# npm's answer is the slowest by far and the same on every broker.
ONLY_ON = {"d": "nats"}
READINGS = {1: 100_000, 50: 1_000_000}  # readings in a round, by readings in a message


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--brokers", type=names_of(BROKERS), default=list(BROKERS), help=f"of {', '.join(BROKERS)}")
    parser.add_argument(
        "--only", type=names_of(COMPETITORS), default=list(COMPETITORS), help="competitors, as in a,b,e"
    )
    parser.add_argument("--batch", type=_numbers, default=list(READINGS), help="readings in a message, as in 1,50")
    parser.add_argument("--readings", type=int, help="in a round; by default 100,000 single, 1,000,000 in arrays")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument(
        "--profile", nargs="?", const=profile.FIRST, choices=[profile.FIRST, *profile.TOOLS],
        help="run (e) alone, once, under a profiler, and write where its time goes",
    )  # fmt: skip


def run(asked: argparse.Namespace) -> int:
    """1 when Siaga has not stored exactly what was published."""
    wanted = {letter: COMPETITORS[letter] for letter in asked.only}
    if asked.profile:
        wanted, asked.rounds = {OURS: profile.competitor(asked.profile)}, 1
    for letter, why in [(letter, one.missing()) for letter, one in wanted.items()]:
        if why:
            print(f"({letter}) {wanted.pop(letter).name} is left out: {why}", flush=True)
    devices = lamps.lamps(asked.devices)
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder, database(Path(folder)) as postgres:
        lamps.register(postgres.url(TEMPLATE), devices)
        for key in asked.brokers:
            try:
                with broker(key, Path(folder)) as server:
                    results += [
                        _rounds(asked, wanted, key, each, server, postgres, devices, Path(folder))
                        for each in asked.batch
                    ]
            except MissingError as missing:
                print(f"{BROKERS[key].name} is left out: {missing}", flush=True)
    print("\n" + "\n\n".join(result["table"] for result in results))
    print(f"\nwritten to {keep_json('ingest', results)}")
    return 0 if all(result["competitors"].get(OURS, {}).get("missing", 0) == 0 for result in results) else 1


def _rounds(
    asked: argparse.Namespace,
    wanted: dict[str, Competitor],
    key: str,
    each: int,
    server: Broker,
    postgres: Postgres,
    devices: Sequence[Device],
    folder: Path,
) -> dict[str, Any]:
    """All rounds on one broker with so many readings in a message."""
    here = [one for letter, one in wanted.items() if ONLY_ON.get(letter, key) == key]
    readings = asked.readings or READINGS.get(each, READINGS[max(READINGS)])
    drained: dict[str, list[Drained]] = defaultdict(list)
    made = None
    for number in range(asked.rounds):
        # Times end now: readings of the round before would be late, or known already.
        made = backlog.write(folder / "messages", lamps.messages(devices, readings, each, time.time()))
        # Every round begins with another: none has the coldest broker each time.
        for competitor in here[number % len(here) :] + here[: number % len(here)]:
            one = drain(competitor, server, postgres, made, each)
            drained[competitor.letter].append(one)
            print(
                f"{key}, {each} a message, round {number + 1}: ({competitor.letter}) {one.rate:,.0f} readings/s, "
                f"{one.used['client'].cpu_s:.2f} CPU s, {one.used['client'].peak_mb:.0f} MB", file=sys.stderr,
            )  # fmt: skip
    assert made
    lines = {letter: line(drained[letter]) for letter in wanted if letter in drained}
    verdict = judged(key, each, lines)
    title = (
        f"{BROKERS[key].name}: {made.readings:,} readings of {len(devices):,} devices, {each} a message of "
        f"{made.bytes / made.packets:,.0f} bytes, {asked.rounds} rounds"
    )
    return {
        "broker": key, "each": each, "readings": made.readings, "devices": len(devices),
        "message_bytes": made.bytes / made.packets,
        "rounds": {letter: [asdict(one) for one in rounds] for letter, rounds in drained.items()},
        "table": shown(title, {one.letter: one.name for one in here}, lines, verdict), **as_json(lines, verdict),
    }  # fmt: skip


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(word) for word in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not numbers separated by commas") from None
    if not all(0 < number <= 1_000 for number in numbers):
        raise argparse.ArgumentTypeError(f"{text}: 1 to 1,000 readings in a message")
    return numbers
