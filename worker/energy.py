"""Rules that take the meter of a panel and the nights before: power as it goes, energy once a night is over.

Live only: what came late tells nobody what was to be seen then. Each look works out anew what has been since the last
step of an alert, from what is stored; so done twice, by two workers or after a kill, it comes out the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from alerts.energy import (
    BIN_S,
    DAY_S,
    NIGHTS,
    Night,
    energy_balance,
    energy_shift,
    last_nights,
    of_night,
    power_shift,
)
from alerts.engine import Evaluated
from alerts.follow import Verdict, follow
from alerts.rule import BY_NIGHT, Condition, Key, Rule
from alerts.rules_change import restored
from alerts.rules_scope import Watched
from alerts.state import State
from devices.device import Device
from devices.fleet import Fleet
from devices.kinds import KINDS
from storage import alert_write, energy, rules
from storage.energy import Span
from worker.context import Context
from worker.forecast_alerts import write

Conn = psycopg.AsyncConnection[Any]

Look = Callable[[Context, Conn, Watched, datetime], Awaitable[None]]

# Judged as readings come; BY_NIGHT once a night.
OF_POWER: frozenset[Condition] = frozenset(("power_shift",))
CABINET, LAMP = KINDS["cabinet"], KINDS["streetlight"]
# In one transaction: the power of so many cabinets in 8 nights, or the energy of their lamps in one.
CABINETS_MAX = 100
# How far back readings are looked at; further where a rule has a longer delay.
BACK_S = 3_600.0
# For so long a night is judged after its end, by what is there by then: lamps may have been rolled up late.
JUDGED_FOR_S = 6 * 3_600.0


async def watch_power(here: Context) -> None:
    """Compare the power of every cabinet with what is usual at this minute."""
    await watch_power_at(here, datetime.now(UTC))


async def judge_nights(here: Context) -> None:
    """Judge the energy of the last night, where it is over and has not moved an alert yet."""
    await judge_nights_at(here, datetime.now(UTC))


async def watch_power_at(here: Context, now: datetime) -> None:
    """The look of a moment."""
    await _look(here, now, OF_POWER, timedelta(seconds=BACK_S), _power)


async def judge_nights_at(here: Context, now: datetime) -> None:
    """The same for nights."""
    await _look(here, now, BY_NIGHT, timedelta(days=1), _nights)


async def _look(here: Context, now: datetime, of: Collection[Condition], heard_within: timedelta, look: Look) -> None:
    async with here.pool.connection() as conn:
        known = (await rules.read(conn)).rules
        if not any(rule.enabled and rule.condition in of for rule in known):
            return
        cabinets = await energy.cabinets(conn, CABINET, now - heard_within)
        for first in range(0, len(cabinets), CABINETS_MAX):
            async with conn.transaction():
                if not await energy.try_lock(conn) or here.stop.is_set():
                    return
                await look(here, conn, Watched(known, Fleet(cabinets[first : first + CABINETS_MAX])), now)


async def _power(here: Context, conn: Conn, watched: Watched, now: datetime) -> None:
    asked = list(_asked(watched, OF_POWER))
    if not asked:
        return
    ids = [device.id for device, _ in asked]
    at, back_s = now.timestamp(), max(_back_s(rule) for _, rule in asked)
    guard_s = max(rule.guard_s for _, rule in asked)
    seen = Span(at - back_s - guard_s, at)
    around = Span(seen.since - BIN_S, at + guard_s + BIN_S)
    before = [Span(around.since - day * DAY_S, around.until - day * DAY_S) for day in range(1, NIGHTS + 1)]
    tonight = await energy.tonight(conn, CABINET, ids, seen, here.settings.live_window_s)
    usual = await energy.usual(conn, CABINET, list(tonight), before)
    moved = await energy.moved(conn, ids, {rule.id for _, rule in asked})
    verdicts = {
        Key(rule.id, device.id): list(power_shift(
            rule, tonight[device.id], usual[device.id], max(at - back_s, moved.get(Key(rule.id, device.id), 0.0))
        ))
        for device, rule in asked if device.id in tonight and device.id in usual
    }  # fmt: skip
    await _follow(here, conn, watched, asked, verdicts, now)


async def _nights(here: Context, conn: Conn, watched: Watched, now: datetime) -> None:
    asked = list(_asked(watched, BY_NIGHT))
    nights = {device.id: _due(device, now.timestamp(), here.settings.live_window_s) for device, _ in asked}
    asked = [(device, rule) for device, rule in asked if nights[device.id]]
    moved = await energy.moved(conn, list(nights), {rule.id for _, rule in asked})
    asked = [(device, rule) for device, rule in asked
             if moved.get(Key(rule.id, device.id), 0.0) < nights[device.id][0].until]  # fmt: skip
    if not asked:
        return
    wanted = [(device_id, night) for device_id in dict.fromkeys(device.id for device, _ in asked)
              for night in nights[device_id]]  # fmt: skip
    found = zip(wanted, await energy.used(conn, CABINET, wanted), strict=True)
    of_cabinet: dict[str, list[float | None]] = {}
    for (device_id, night), used in found:
        of_cabinet.setdefault(device_id, []).append(of_night(night, used))
    of_lamps = await _lamps(conn, asked, {device_id: nights[device_id][0] for device_id in of_cabinet})
    verdicts: dict[Key, list[Verdict]] = {}
    for device, rule in asked:
        night, (newest, *before) = nights[device.id][0], of_cabinet[device.id]
        if rule.condition == "energy_shift":
            said = energy_shift(rule, night, newest, before)
        else:
            said = energy_balance(rule, night, newest, of_lamps.get(device.id, []))
        verdicts[Key(rule.id, device.id)] = [said] if said else []
    await _follow(here, conn, watched, asked, verdicts, now)


async def _lamps(
    conn: Conn, asked: Iterable[tuple[Device, Rule]], nights: Mapping[str, Night]
) -> dict[str, list[float | None]]:
    """Energy of the lamps of each cabinet that is to balance, in its last night."""
    cabinets = {device.id: str(device.attributes["panel"]) for device, rule in asked
                if rule.condition == "energy_balance" and device.attributes.get("panel")}  # fmt: skip
    lamps = await energy.lamps(conn, LAMP, set(cabinets.values()))
    wanted = [(cabinet, lamp) for cabinet, panel in cabinets.items() for lamp in lamps.get(panel, [])]
    used = await energy.used(conn, LAMP, [(lamp, nights[cabinet]) for cabinet, lamp in wanted])
    found: dict[str, list[float | None]] = {}
    for (cabinet, _), each in zip(wanted, used, strict=True):
        found.setdefault(cabinet, []).append(of_night(nights[cabinet], each))
    return found


async def _follow(
    here: Context,
    conn: Conn,
    watched: Watched,
    asked: Iterable[tuple[Device, Rule]],
    verdicts: Mapping[Key, list[Verdict]],
    now: datetime,
) -> None:
    """Take the steps that these make the rules take. Between two looks only the rung is kept: the rest is seen anew."""
    stored = restored(watched, await alert_write.read_states(conn, [device.id for device in watched.fleet.devices]))
    found = Evaluated([], {}, [])
    for device, rule in asked:
        key = Key(rule.id, device.id)
        was = stored.states.get(key, State.rest(rule))
        before = replace(State.rest(rule), rung=was.rung, peak=was.peak)
        each = follow(rule, key, device.kind, before, verdicts.get(key, []))
        if each.transitions:
            found.transitions.extend(each.transitions)
            found.states.update(each.states)
    found.transitions.sort(key=lambda each: each.event_at)
    if found.transitions:
        await write(here, conn, found, now)


def _asked(watched: Watched, of: Collection[Condition]) -> Iterator[tuple[Device, Rule]]:
    """Each cabinet with the rules of these conditions that watch it."""
    watches = watched.of(CABINET.name).values()
    for number, device in enumerate(watched.fleet.devices):
        for watch in watches:
            rule = watch.on(number)
            if rule is not None and rule.condition in of:
                yield device, rule


def _due(device: Device, now: float, grace_s: float) -> list[Night]:
    """The night that is to be judged now, and those before it; none where the place is unknown."""
    if device.lat is None or device.lon is None:
        return []
    at = now - grace_s
    newest = last_nights(at, device.lat, device.lon, 1)
    return last_nights(at, device.lat, device.lon) if newest and at <= newest[0].until + JUDGED_FOR_S else []


def _back_s(rule: Rule) -> float:
    return BACK_S + max(rule.delay_off_s, *(level.delay_on_s for level in rule.level))
