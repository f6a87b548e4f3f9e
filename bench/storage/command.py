"""What the dashboard's queries cost after a month of ten thousand devices, and what that month takes on disk.

Every question is put to the query layer, to raw readings, and to a narrow table with one row a value; warm (the median
of --rounds) and cold (the server started anew, and the system's cache dropped where that is allowed). --write puts the
table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, Protocol

from bench.lamps import SEED
from bench.measure import keep_json
from bench.servers import TEMPLATE, database
from bench.storage import fill, flavours, narrow, sizes, table
from bench.storage.fill import DAY, Span
from bench.storage.questions import LAMPS, RIVERS, Ask, Question, group_days, latest, one_device
from devices.device import Device
from simulator.fleet import make_fleet
from simulator.pace import FIELD_PACE_S
from storage.connect import connect_async
from storage.fleet import import_devices

DATABASE = "bench_storage"
YEAR = 365
# Gauges report so often while a river rises; their 30 days are ninety raw readings a bucket.
FLOOD_S = 10.0
# What takes half a minute is not asked eleven times.
ENOUGH_MS = 60_000.0
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


class Server(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


class Took(NamedTuple):
    """Milliseconds of one way to ask: the median of warm rounds, and the first time. rows: of the answer."""

    warm_ms: float
    cold_ms: float
    rows: int


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--narrow", type=int, default=500, help="devices whose readings the narrow table holds, too")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")


def run(asked: argparse.Namespace) -> int:
    devices = make_fleet(asked.devices, SEED)
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder, database(Path(folder)) as postgres:
        url = postgres.create(DATABASE, TEMPLATE)
        span = fill.span_of(asked.days, datetime.now(UTC))
        filled = asyncio.run(_fill(url, devices, span, asked.narrow))
        questions = _questions(devices, span)
        result = {
            "devices": len(devices), "days": asked.days, "narrow_devices": asked.narrow, **filled,
            "sizes": asyncio.run(sizes.measured(url, filled["narrow_readings"], filled["narrow_values"])),
            "questions": [_asked(each, url, postgres, asked.rounds) for each in questions],
        }  # fmt: skip
    result["flavours"] = asyncio.run(flavours.measured())
    print(table.rendered(result))
    print(f"written to {keep_json('storage', result)}")
    if asked.write:
        table.write(result)
    return 0


async def _fill(url: str, devices: Sequence[Device], span: Span, share: int) -> dict[str, Any]:
    began = time.monotonic()
    async with await connect_async(url, "bench") as conn:
        await import_devices(conn, list(devices))
        readings = await fill.fill_readings(conn, devices, span, FIELD_PACE_S | {"water_level": FLOOD_S}, _say)
        _say(f"{readings:,} readings in {time.monotonic() - began:,.0f} s")
        await conn.execute("VACUUM ANALYZE")
        rows = await fill.roll_up(conn, span, _say)
        await fill.fill_latest(conn, span)
        await fill.repeat_days(conn, span, YEAR)
        await fill.keep_groups(conn, YEAR, span)
        chosen = [device.id for device in devices][:share]
        values = await narrow.fill(conn, chosen, span)
        _say(f"{values:,} values in the narrow table")
        counted = await narrow.readings_of(conn, chosen)
        await conn.execute("VACUUM ANALYZE")
        await conn.execute("CHECKPOINT")
    return {"readings": readings, "rollup_rows": rows, "narrow_values": values, "narrow_readings": counted}


def _questions(devices: Sequence[Device], span: Span) -> list[Question]:
    lamps = [device for device in devices if device.kind == LAMPS.name]
    gauge = next(device for device in devices if device.kind == RIVERS.name)
    days = round(span.days)
    year = Span(span.until - YEAR * DAY, span.until)
    return [
        one_device(f"a gauge, every 10 s: {days} days, 15-minute buckets", RIVERS, gauge.id, "distance_m", span, 20.0),
        one_device(f"a lamp, every 15 min: {days} days, 15-minute buckets", LAMPS, lamps[0].id, "power_w", span, 20.0),
        group_days(f"all {len(lamps):,} lamps: a year by day", "all", year, span, 200.0),
        group_days("lamps by panel: a year by day", "panel", year, None, None),
        latest(span, len(lamps), 100.0),
    ]  # fmt: skip


def _asked(question: Question, url: str, server: Server, rounds: int) -> dict[str, Any]:
    ways = {"ours": question.ours, "raw": question.raw, "narrow": question.narrow}
    took = {name: _took(ask, url, server, rounds) for name, ask in ways.items() if ask}
    _say(f"{question.name}: " + ", ".join(f"{name} {each.warm_ms:,.1f} ms" for name, each in took.items()))
    return {"name": question.name, "bar_ms": question.bar_ms, **{name: each._asdict() for name, each in took.items()}}


def _took(ask: Ask, url: str, server: Server, rounds: int) -> Took:
    server.stop()
    with suppress(OSError):  # for who may not, the system's cache stays warm
        os.sync()
        DROP_CACHES.write_text("3")
    server.start()

    async def asked() -> Took:
        async with await connect_async(url, "bench") as conn:
            await conn.execute("SELECT 1")
            times = []
            rows = 0
            for _ in range(1 + rounds):
                began = time.perf_counter()
                rows = await ask(conn)
                times.append((time.perf_counter() - began) * 1000)
                if len(times) > 1 and sum(times) > ENOUGH_MS:
                    break
            return Took(median(times[1:]), times[0], rows)

    return asyncio.run(asked())


def _say(text: str) -> None:
    print(text, flush=True)
