"""Late readings anywhere, restarts and redelivery: afterwards the record is that of an undisturbed run."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import pytest

from devices.batch import Packet
from devices.device import Device
from storage.fleet import import_devices
from tests.alerts.timeline import detector, gauge, lamp
from tests.storage.world import NOW, World, packet
from worker.review import review_past_at

SEEDS = range(int(os.environ.get("SIAGA_TEST_SEEDS", "5")))
AFTER = timedelta(days=3)
# Alerts as they are to be read: without those that late readings tell otherwise, and without silence.
RECORD = """
SELECT a.rule, a.id, t.what, t.to_severity, t.event_at FROM transition AS t JOIN alert AS a ON a.id = t.alert_id
WHERE a.device_id = %s AND NOT a.superseded AND a.rule <> 'stale'
  AND t.what IN ('raised', 'worsened', 'eased', 'cleared', 'went_live') ORDER BY a.rule, t.event_at, t.id
"""

TOLD = """
SELECT count(*) FROM notice_outbox WHERE transition_id IN (
    SELECT t.id FROM transition AS t JOIN alert AS a ON a.id = t.alert_id WHERE a.device_id = %s)
"""


class Sent(NamedTuple):
    """A reading, and how late it comes."""

    ts: datetime
    values: dict[str, float]
    late: timedelta = timedelta()


async def record(world: World, device: str) -> list[tuple[Any, ...]]:
    """Rule, what, severity and time of all that happened, from alert to alert."""
    found = []
    severity: dict[str, int | None] = {}
    for rule, _, _, to, at in await world.rows(RECORD, device):
        if severity.get(rule) != to:  # going live may leave the level as it is
            found.append((rule, to, at))
        severity[rule] = to
    return found


async def join(world: World, *devices: Device) -> None:
    await import_devices(world.conn, list(devices))
    await world.ground.look_for_devices()


def told(device: str, sent: Sent) -> Packet:
    return packet(device, {"ts": sent.ts, **sent.values}, at=sent.ts + sent.late + timedelta(seconds=1))


async def undisturbed(world: World, device: str, sent: Sequence[Sent]) -> list[tuple[Any, ...]]:
    """Everything in time, one after the other."""
    for one in sent:
        each = told(device, one._replace(late=timedelta()))
        await world.send([each], each.received_at)
    return await record(world, device)


async def drain(worker: Callable[..., Any]) -> None:
    here = await worker()
    for _ in range(3):
        await review_past_at(here, NOW + AFTER)


def level(minute: float, level_m: float, late_min: float = 0) -> Sent:
    return Sent(NOW + timedelta(minutes=minute), {"level_m": level_m}, timedelta(minutes=late_min))


async def test_a_peak_in_a_backlog_that_comes_after_the_newest_reading(
    world: World, worker: Callable[..., Any]
) -> None:
    """Two hours offline: the newest reading first, then what was kept; the flood in between is told with its times."""
    await join(world, gauge("wl"), gauge("twin"))
    heights = [1.0, 1.4, 1.8, 2.2, 2.6, 3.0, 3.0, 2.6, 2.2, 1.8, 1.4, 1.0, 1.0]
    flood = [level(10 * n, m) for n, m in enumerate(heights)]
    calm = [level(10 * n, 1.0) for n in range(13, 20)]
    wanted = await undisturbed(world, "twin", [*flood, *calm])
    kept = [one._replace(late=timedelta(minutes=130) - (one.ts - NOW)) for one in flood[1:12]]
    await world.send([told("wl", flood[0])], flood[0].ts)
    await world.send([told("wl", flood[12])], flood[12].ts)
    await world.send([told("wl", one) for one in kept], NOW + timedelta(minutes=130))
    for one in calm:
        await world.send([told("wl", one)], one.ts)
    assert await record(world, "wl") == []
    await drain(worker)
    assert wanted == await record(world, "wl")
    assert {severity for _, severity, _ in wanted} == {1, 2, None}
    rows = await world.rows("SELECT historical, open, superseded FROM alert WHERE device_id = 'wl' AND rule = 'siaga'")
    assert rows == [(True, False, False)]
    assert await world.one(TOLD, "wl") == 0
    assert await world.one("SELECT count(*) FROM alert_review") == 0


async def test_what_is_open_stays_as_it_is_until_it_is_over(world: World, worker: Callable[..., Any]) -> None:
    """The alert was raised when the gauge came back; that it had begun an hour before is told once it has ended."""
    await join(world, gauge("wl"))
    await world.send([told("wl", level(0, 1.0))], NOW)
    back = level(60, 3.0)
    await world.send([told("wl", back)], back.ts)
    missed = [level(10 * n, min(1.0 + 0.4 * n, 3.0), late_min=70 - 10 * n) for n in range(1, 6)]
    await world.send([told("wl", one) for one in missed], NOW + timedelta(minutes=70))
    live = "SELECT id, raised_at, active, historical, superseded FROM alert WHERE rule = 'siaga' ORDER BY id"
    before = await world.rows(live)
    await drain(worker)
    assert await world.rows(live) == before
    assert before[0][1] == back.ts
    assert await world.one("SELECT count(*) FROM alert_review WHERE looked IS NOT NULL") == 1
    for n in range(7, 20):
        one = level(10 * n, max(1.0, 3.0 - 0.4 * (n - 6)))
        await world.send([told("wl", one)], one.ts)
    await drain(worker)
    shown, true = await world.rows(live)
    assert shown == (before[0][0], back.ts, False, False, True)
    assert true[1:] == (NOW + timedelta(minutes=40), False, True, False)
    assert await world.one("SELECT superseded_by FROM alert WHERE id = %s", shown[0]) == true[0]
    assert await world.one("SELECT why FROM transition WHERE alert_id = %s AND what = 'commented'", shown[0])


async def test_doing_it_twice_or_after_a_kill_changes_nothing(
    world: World, worker: Callable[..., Any], other: psycopg.AsyncConnection[Any]
) -> None:
    await join(world, gauge("wl"))
    heights = [1.0, 1.4, 1.8, 2.2, 2.6, 2.2, 1.8, 1.4, 1.0, 1.0, 1.0, 1.0]
    sent = [level(10 * n, m) for n, m in enumerate(heights)]
    await world.send([told("wl", sent[-1])], sent[-1].ts)
    await world.send([told("wl", one._replace(late=AFTER)) for one in sent[:-1]], NOW + AFTER)
    marks = await world.rows("SELECT device_id, since, until FROM alert_review")
    assert marks == [("wl", sent[0].ts, sent[-2].ts)]
    await drain(worker)
    first = await record(world, "wl")
    assert first
    await world.rows("INSERT INTO alert_review (device_id, since, until) VALUES ('wl', %s, %s) RETURNING 1", NOW, NOW)
    await drain(worker)
    assert await record(world, "wl") == first
    assert await world.one("SELECT count(*) FROM alert WHERE superseded") == 0


async def test_a_rule_that_was_changed_since_does_not_judge_what_came_before(
    world: World, worker: Callable[..., Any]
) -> None:
    await join(world, gauge("wl"))
    await world.send([told("wl", level(120, 1.0))], NOW + timedelta(hours=2))
    await world.rows(
        "INSERT INTO rule_version (rule, kind, scope, definition, at, who, why) "
        "VALUES ('siaga', 'water_level', '', NULL, %s, 'rini', 'x') RETURNING 1", NOW + timedelta(days=1),
    )  # fmt: skip
    await world.send([told("wl", level(10 * n, 3.0, 3000)) for n in range(12)], NOW + AFTER)
    await drain(worker)
    assert await record(world, "wl") == []


QUIET = {
    "water_level": {"level_m": 1.0},
    "streetlight": {"voltage_v": 220.0, "power_w": 99.0},
    "traffic": {"speed_kmh": 38.0, "occupancy_pct": 5.0, "count": 30.0},
}


def series(rng: random.Random, device: Device) -> list[Sent]:
    """A day of a device, with values that stay for a while around the bounds; and then a quiet evening.

    No faster than a river rises, and never quite still: flags of quality depend on what came before.
    """
    values = dict(QUIET[device.kind])
    sent, at, trend = [], NOW, 0.2
    for n in range(70):
        if n >= 40:
            values = QUIET[device.kind] | {"level_m": max(1.0, sent[-1].values.get("level_m", 0.0) - 0.4)}
        elif device.kind == "water_level":
            trend = rng.choice([trend, trend, trend, 0.0, -0.2, 0.2])
            values = {"level_m": min(3.8, max(1.0, values["level_m"] + trend))}
        elif rng.random() < 0.4:
            values = {
                "voltage_v": rng.choice([0.0, 175.0, 197.0, 199.0, 220.0, 232.0]),
                "power_w": rng.choice([0.0, 1.9, 90.0, 99.0]),
                "speed_kmh": rng.choice([8.0, 15.0, 22.0, 35.0]),
                "occupancy_pct": rng.choice([5.0, 45.0]),
                "count": 30.0,
            }
        jitter = {"level_m": 0.01, "voltage_v": 0.1, "speed_kmh": 0.1}
        told = {name: values[name] + jitter.get(name, 0) * (n % 3) for name in QUIET[device.kind]}
        sent.append(Sent(at, {name: round(value, 3) for name, value in told.items()}))
        at += timedelta(minutes=rng.choice([5, 10, 10, 10, 15]) if n < 40 else 10)
    return sent


@pytest.mark.parametrize("seed", SEEDS)
async def test_late_readings_restarts_and_redelivery_leave_the_record_of_an_undisturbed_run(
    world: World, worker: Callable[..., Any], seed: int
) -> None:
    rng = random.Random(seed)
    make = rng.choice([gauge, lamp, detector])
    await join(world, make("device"), make("twin"))
    sent = series(rng, make("device"))
    wanted = await undisturbed(world, "twin", sent)
    delays = [0, 0, 0, 3, 20, 45, 130]
    arrivals = [
        one._replace(late=timedelta(minutes=rng.choice(delays)) if n < 40 else timedelta())
        for n, one in enumerate(sent)
    ]
    packets = sorted((told("device", one) for one in arrivals), key=lambda each: each.received_at)
    while packets:
        size = rng.choice([1, 1, 2, 5])
        batch, packets = packets[:size], packets[size:]
        await world.send(batch, batch[-1].received_at)
        match rng.randrange(8):
            case 0:
                await world.restart()
            case 1:  # killed between commit and acknowledgement: all of it comes again
                await world.restart()
                await world.send(batch, batch[-1].received_at)
            case 2:
                await drain(worker)
    await drain(worker)
    assert await record(world, "device") == wanted
    standing = "SELECT rule, severity, raised_at FROM alert WHERE active AND device_id = %s"
    assert await world.rows(standing, "device") == await world.rows(standing, "twin")
