"""Corrects the past: what late readings make of the alerts of their device, looked at once they are stored.

Killed anywhere, it is done again and comes out the same: marks are taken away in the transaction that corrects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from alerts.conditions import CONDITIONS
from alerts.hindsight import Correction, Episode, Past, Told, ahead_s, review
from alerts.rule import Key, Rule
from alerts.rules_replay import metrics_of
from alerts.rules_scope import Watched
from alerts.rules_set import RuleSet
from devices.device import Device
from devices.fleet import Fleet
from devices.kinds import KINDS
from runtime.log import get_logger
from storage import event_log, rules
from storage import review as stored
from storage.fleet import get_device
from storage.resume import newest_ts
from storage.review import Due
from worker.context import Context

log = get_logger(__name__)

Conn = psycopg.AsyncConnection[Any]

DEVICES_MAX = 200
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


async def review_past(here: Context) -> float | None:
    """One round; at once again where more is left."""
    return await review_past_at(here, datetime.now(UTC))


async def review_past_at(here: Context, now: datetime) -> float | None:
    """The round of a moment."""
    async with here.pool.connection() as conn:
        found = await stored.due(conn, DEVICES_MAX)
        known = await rules.read(conn) if found else None
        for each in found:
            assert known is not None
            await _review(conn, known, each, now)
            if here.stop.is_set():
                break
    return 0.0 if len(found) == DEVICES_MAX else None


async def _review(conn: Conn, known: RuleSet, due: Due, now: datetime) -> None:
    device = await get_device(conn, due.device_id)
    newest = await newest_ts(conn, due.device_id)
    if device is None or newest is None:
        await stored.claim(conn, due.marks)
        return
    watching = _judged(known, device)
    reach_s = ahead_s(watching, device.kind)
    told = await stored.told(conn, device.id, [rule.id for rule in watching])
    begin = _begin(told, due.since.timestamp() - reach_s, reach_s)
    # Who changed a rule since then did not change what it said before.
    changed = {each.rule.variant for each in known.in_force if each.change and each.change.at.timestamp() > begin}
    watching = [rule for rule in watching if rule.variant not in changed]
    true = await _evaluate(conn, watching, device, told, (begin, due.until.timestamp() + reach_s, newest), reach_s)
    async with conn.transaction():
        await conn.execute(event_log.LOCK)
        if not await stored.claim(conn, due.marks):
            return
        told = await stored.told(conn, device.id, [rule.id for rule in watching])
        waits = False
        for rule in watching:
            # What has begun since we read the readings is not for us to judge.
            mine = [each for each in told.get(rule.id, []) if each.opened <= newest.timestamp()]
            found = review(mine, true.get(rule.id, []), due.since.timestamp(), due.until.timestamp() + reach_s)
            waits |= found.waits
            for correction in found.corrections:
                await _correct(conn, rule, device, correction, now)
        if waits:
            await stored.wait(conn, due, newest)


def _judged(known: RuleSet, device: Device) -> list[Rule]:
    """The rules that readings of the device decide."""
    watches = Watched(known.rules, Fleet([device])).of(device.kind).values()
    found = [rule for watch in watches if (rule := watch.on(0)) is not None]
    return [rule for rule in found if rule.condition in CONDITIONS and rule.condition != "stale"]


def _begin(told: Mapping[str, Sequence[Told]], begin: float, reach_s: float) -> float:
    """The nearest time before `begin` (epoch s) at which nothing stood, and what came before matters no more."""
    standing = [each for alerts in told.values() for each in alerts if each.opened <= begin <= each.until]
    return begin if not standing else _begin(told, min(each.opened for each in standing) - reach_s, reach_s)


async def _evaluate(
    conn: Conn,
    watching: Sequence[Rule],
    device: Device,
    told: Mapping[str, Sequence[Told]],
    span: tuple[float, float, datetime],
    reach_s: float,
) -> dict[str, list[Episode]]:
    """What readings of the device say by these rules, from span[0] on (epoch s) to span[1] at least, and on until
    nothing stands."""
    kind, past = KINDS[device.kind], Past(watching, device)
    begin, stop, newest = span
    metrics = metrics_of(watching, kind)
    after = begin
    while True:
        for each in sorted((each for alerts in told.values() for each in alerts), key=lambda each: each.opened):
            if each.opened <= stop < each.until:
                stop = each.until + reach_s
        last = stop >= newest.timestamp()
        until = newest if last else _time(stop)
        async for arrived in stored.readings(conn, kind, metrics, device.id, _time(after), until):
            await asyncio.to_thread(past.feed, arrived)
        if last or past.at_rest:
            return past.episodes()
        after, stop = stop, stop + max(reach_s, stop - begin)


async def _correct(conn: Conn, rule: Rule, device: Device, correction: Correction, now: datetime) -> None:
    added = await stored.correct(conn, Key(rule.id, device.id), device.kind, rule.metric, correction, now)
    log.info("alerts.corrected", rule=rule.id, device=device.id, added=added, superseded=list(correction.superseded))


def _time(epoch_s: float) -> datetime:
    return BEGINNING + timedelta(seconds=min(max(epoch_s, 0.0), 1e11))
