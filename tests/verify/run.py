"""A small run: three devices for some hours a day ago, with everything that can become of a packet, and its truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from devices.batch import Packet
from devices.quality import Quality, Reason
from devices.topics import readings_topic
from ingest.replay import replay_waiting
from simulator.truth.folder import OUTCOMES, Expected, Outcome, Step, Summary, Told, Writer
from storage.quarantine_act import Order, act
from tests.storage.rolled import drain
from tests.storage.world import COUNTER, GAUGE, LAMP, NOW, REGION, World

# 23 November 2026, 19:00 WIB
START = NOW - timedelta(days=1)
STEP = timedelta(minutes=10)
LEVELS = [1.0, 1.2, 25.0, 2.1, 2.2, 2.6, 2.6, 3.0, 1.5, 1.5, 1.5, 1.5, 1.4, 1.3]
FALLEN = 8  # so far at once that the next reading has to confirm it
REASON = {Quality.FAIL: Reason.RANGE, Quality.SUSPECT: Reason.RATE | Reason.SPIKE}
FLEET = (LAMP, GAUGE, COUNTER)


class Sent(NamedTuple):
    """A packet, or None where it never left, and what the truth tells of it."""

    kind: str
    told: Told
    packet: Packet | None


def ms(step: int) -> int:
    return round((START + step * STEP).timestamp() * 1000)


def sent() -> list[Sent]:
    """In order of sending."""
    chosen = [*_lamp(), *_gauge(), *_counter(), *_strangers()]
    return [
        one._replace(told=one.told._replace(message=number if one.packet else -1)) for number, one in enumerate(chosen)
    ]


def ahead(run: list[Sent]) -> list[Sent]:
    """The same, but the counter's clock goes seven hours ahead: local time told as UTC, stored a day later."""
    return [_ahead(one) if one.told.device_id == COUNTER.id else one for one in run]


def write_truth(folder: Path, run: list[Sent], *alerts: Expected, unsure: dict[int, str] | None = None) -> None:
    writer = Writer(folder, FLEET)
    for one in run:
        writer.add(one.kind, one.told)
    summary = Summary(
        scenario="small", seed=1, region=REGION, clock="past", start_ms=ms(0), end_ms=ms(24), devices=len(FLEET),
        messages=sum(one.packet is not None for one in run), outcomes=writer.outcomes, alerts=len(alerts),
    )  # fmt: skip
    writer.finish(summary, alerts, unsure or {})


# Two readings for Siaga 3, one from Siaga 2 on; down half an hour after the level has fallen.
FLOOD = Expected("siaga", "gauge", True, (Step(ms(4), 1), Step(ms(5), 2), Step(ms(7), 3)), ms(12), 0.0)


async def ingest(url: str, run: list[Sent]) -> None:
    """Through intake, engine and writer into a database, and rolled up."""
    world = await World.make(url, *FLEET)
    packets = [one.packet for one in run if one.packet]
    for first in range(0, len(packets), 7):
        await world.send(packets[first : first + 7])
    await drain(world.conn)
    await world.ground.close()


async def replay(url: str, reason: str, shift_s: float) -> None:
    """What is in quarantine for this reason once more, and rolled up."""
    world = await World.make(url)
    ids = [number for (number,) in await world.rows("SELECT id FROM quarantine WHERE reason = %s", reason)]
    await act(world.conn, ids, Order("replay", "anna", NOW, shift_s=shift_s))
    await replay_waiting(world.ground, world.limits, None, len(ids), lambda _: None)
    await drain(world.conn)
    await world.ground.close()


def _item(
    kind: str, device_id: str, step: int, outcome: Outcome, qc: int | None, values: dict[str, float | None],
    derived: dict[str, float | None] | None = None, **more: Any,
) -> Sent:  # fmt: skip
    topic = readings_topic(more.pop("region", REGION), device_id)
    ts_ms = ms(step) + more.pop("ahead_ms", 0)
    payload = {"ts": ts_ms, "seq": step, "boot": "a1", **values}
    told = Told(
        0, device_id, "" if topic == readings_topic(REGION, device_id) else topic, ms(step), ts_ms, step, "a1", outcome,
        qc, None if qc is None else int(REASON.get(Quality(qc), 0)), "", values | (derived or {}),
    )  # fmt: skip
    return Sent(kind, told, None if outcome == "not_sent" else Packet(topic, json.dumps(payload).encode(), NOW))


def _ahead(one: Sent) -> Sent:
    assert one.packet is not None
    assert one.told.ts_ms is not None
    ts_ms = one.told.ts_ms + 7 * 3_600_000
    payload = json.loads(one.packet.payload) | {"ts": ts_ms}
    return Sent(one.kind, one.told._replace(ts_ms=ts_ms), one.packet._replace(payload=json.dumps(payload).encode()))


def _lamp() -> Iterator[Sent]:
    for step in range(24):
        # The counter starts anew half-way, as after a change of the controller.
        values: dict[str, float | None] = {
            "power_w": 80.1 + step, "voltage_v": 221.3 + step % 2, "dimming_pct": 100, "energy_wh": 13.4 * (step % 12),
            "temperature_c": None,
        }  # fmt: skip
        outcome: Outcome = "not_sent" if step in (5, 6) else "stored"
        lamp = _item("streetlight", "lamp", step, outcome, 1 if outcome == "stored" else None, values)
        yield lamp
        if step in (3, 4):
            yield lamp._replace(told=lamp.told._replace(outcome="duplicate", qc=None, reason=None))
        if step == 8:
            yield _item("streetlight", "lamp", step, "conflict", None, values | {"power_w": 0.5})
    yield _item("streetlight", "lamp", 24, "future_timestamp", None, {"power_w": 80}, ahead_ms=7 * 86_400_000)
    for number in range(2):
        told = Told(0, "lamp", "", ms(24), None, None, None, "malformed", None, None, "", {})
        yield Sent("streetlight", told, Packet(readings_topic(REGION, "lamp"), b'{"ts": "tod' + b"a" * number, NOW))


def _gauge() -> Iterator[Sent]:
    for step, level in enumerate(LEVELS):
        values: dict[str, float | None] = {"level_m": level, "rain_mm": 0.1 * step}
        qc = 4 if level > 20 else 3 if step == FALLEN else 1
        yield _item("water_level", "gauge", step, "stored", qc, values)
    yield _item("water_level", "gauge", 20, "identity_mismatch", None, {"level_m": 1.0}, region="12.71")


def _counter() -> Iterator[Sent]:
    for step in range(12):
        count = 10.0 * (step % 4)
        values: dict[str, float | None] = {
            "period_s": 600, "count": count, "speed_kmh": 31.5 + step if count else None, "occupancy_pct": 1.0,
        }  # fmt: skip
        yield _item("traffic", "counter", step, "stored", 1, values, {"flow_vph": count * 6})


def _strangers() -> Iterator[Sent]:
    yield _item("traffic", "nobody", 3, "unknown_device", None, {"count": 1})


assert {one.told.outcome for one in sent()} == set(OUTCOMES) - {"too_large", "too_old"}
