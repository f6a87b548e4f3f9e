"""Advice on alerts that come too often: who they are, and replays of their stored readings under other rules.

The replays are dry-runs (storage/rules_replay.py), all changes of a rule in one pass over the readings; one person's
advice at a time, as each keeps a core busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import psycopg
from psycopg import sql

from alerts import advice, kpi
from alerts import advice_changes as changes
from alerts.advice import Effect, Trial
from alerts.advice_changes import Signal
from alerts.advice_course import Course
from alerts.advice_words import SUSPECT_FROM, Reason, nothing_text, proposal_text
from alerts.rule import BY_WORKER, DEVICE, Key, Rule
from alerts.rules_scope import Watched
from devices.device import Device
from devices.fleet import Fleet
from devices.kind import Label
from devices.kinds import KINDS
from devices.quality import Quality
from storage import alert_kpi
from storage.alert_kpi import Range
from storage.fleet import get_device
from storage.kind_tables import reading_table
from storage.rules_replay import Past, Run, dry_run

# An alert or two are nobody's nuisance.
LEAST_ALERTS = 3
# Newest first, so that what is too much is left out at its old end.
SIGNAL = """
SELECT extract(epoch FROM ts)::float8, {value}, qc <= {trusted} FROM {table}
WHERE device_id = {device} AND ts >= {since} AND ts < {until} ORDER BY ts DESC LIMIT {limit}
"""
COUNT = f"""
SELECT a.rule, a.device_id, count(*) FROM unnest(%(rules)s::text[], %(devices)s::text[]) AS k (rule, device_id)
JOIN alert AS a ON a.rule = k.rule AND a.device_id = k.device_id JOIN transition AS t ON t.alert_id = a.id
WHERE {alert_kpi.NEW} GROUP BY a.rule, a.device_id
"""


class Actor(NamedTuple):
    """A rule on a device. alerts: how many people were shown; most_in_1_min: transitions, of one that chatters."""

    rule: str
    device_id: str
    device_name: str
    alerts: int
    most_in_1_min: int


class Limits(NamedTuple):
    """actors: at most; readings: of all of them together. stream_silent_s: as ingest is set."""

    actors: int
    readings: int
    stream_silent_s: float | None


class Advised(NamedTuple):
    """since: from when readings were replayed; later than asked for where there are too many. before: by the rule in
    force; None where nothing could be replayed. sentence: what is proposed, or why nothing is."""

    actor: Actor
    since: datetime
    readings: int
    suspect_share: float
    before: Effect | None
    trial: Trial | None
    sentence: Label


async def advise(
    conn: psycopg.AsyncConnection[Any], of: Range, rules: tuple[Rule, ...], limits: Limits
) -> list[Advised]:
    """Advice on those who chatter and on those with most alerts, worst first. Raises BusyError, psycopg.Error."""
    # Around all of them, so that the turn that the first dry-run takes is kept.
    async with conn.transaction():
        chosen = await actors(conn, of, limits.actors)
        share = max(1, limits.readings // max(1, len(chosen)))
        return [await _advise(conn, of, rules, actor, limits._replace(readings=share)) for actor in chosen]


async def actors(conn: psycopg.AsyncConnection[Any], of: Range, most: int) -> list[Actor]:
    """Rules on devices that chattered, the quickest first; then those that raised most."""
    chattering = await asyncio.to_thread(kpi.chattering, *await alert_kpi.crossings(conn, of))
    quickest: dict[tuple[str, str], Actor] = {}
    for each in await alert_kpi.named(conn, sorted(chattering)):
        key, most_in_1_min = (each.rule, each.device_id), chattering[each.id]
        if key not in quickest or quickest[key].most_in_1_min < most_in_1_min:
            quickest[key] = Actor(*key, each.device_name, 0, most_in_1_min)
    first = sorted(quickest.values(), key=lambda actor: (-actor.most_in_1_min, actor.rule, actor.device_id))[:most]
    counted = await _count(conn, of, first)
    first = [actor._replace(alerts=counted.get((actor.rule, actor.device_id), 0)) for actor in first]
    others = [
        Actor(*each, 0)
        for each in await alert_kpi.bad_actors(conn, of, most)
        if each.alerts >= LEAST_ALERTS and (each.rule, each.device_id) not in quickest
    ]
    return [*first, *others][:most]


async def _count(conn: psycopg.AsyncConnection[Any], of: Range, actors: Sequence[Actor]) -> dict[tuple[str, str], int]:
    values = {"rules": [each.rule for each in actors], "devices": [each.device_id for each in actors]}
    rows = await (await conn.execute(COUNT.encode(), of._asdict() | values)).fetchall()
    return {(rule, device_id): alerts for rule, device_id, alerts in rows}


async def _advise(
    conn: psycopg.AsyncConnection[Any], of: Range, rules: tuple[Rule, ...], actor: Actor, limits: Limits
) -> Advised:
    device = await get_device(conn, actor.device_id)
    if device is None or device.kind not in KINDS:
        return _nothing(actor, of, "elsewhere")
    rule = Watched(rules, Fleet([device])).on(Key(actor.rule, device.id))
    if rule is None:
        return _nothing(actor, of, "gone")
    if rule.condition in BY_WORKER:
        return _nothing(actor, of, "elsewhere")
    own = rule.model_copy(update={"kind": device.kind, "scope": {DEVICE: device.id}})
    signal, since = await _signal(conn, own, device, of, limits.readings)
    past = Past(since, of.until, [device.id], limits.stream_silent_s)
    return await _replayed(conn, past, own, device, signal, actor)


async def _replayed(
    conn: psycopg.AsyncConnection[Any], past: Past, rule: Rule, device: Device, signal: Signal, actor: Actor
) -> Advised:
    # Nobody knows how long it stood after the last reading; only silence is told by the clock.
    heard = len(signal.times) > 0 and rule.condition != "stale"
    until = float(signal.times[-1]) if heard else past.until.timestamp()
    before = Course()
    ran = await dry_run(conn, past, [Run((rule,), before.add)])
    current = await asyncio.to_thread(advice.effect, rule, before, before, until)
    advised = Advised(actor, past.since, ran.readings, signal.suspect_share, current, None, Label("", ""))
    if len(before) < advice.LEAST_TRANSITIONS:
        return advised._replace(sentence=_why(signal, "few"))
    wanted = await asyncio.to_thread(changes.changes, rule, device.attributes, before, signal, until)
    tried = [(change, found, Course()) for change in wanted if (found := changes.changed(rule, change)) is not None]
    if tried:
        await dry_run(conn, past, [Run((found,), course.add) for _, found, course in tried])
    trials = [
        Trial(change, found, await asyncio.to_thread(advice.effect, rule, before, course, until))
        for change, found, course in tried
    ]
    best = advice.choose(trials)
    if best is not None:
        return advised._replace(trial=best, sentence=proposal_text(best, _unit(rule)))
    harmful = any(each.effect.harms and each.effect.removed >= advice.WORTH for each in trials)
    return advised._replace(sentence=_why(signal, "severe" if harmful else "nothing"))


async def _signal(
    conn: psycopg.AsyncConnection[Any], rule: Rule, device: Device, of: Range, most: int
) -> tuple[Signal, datetime]:
    """The newest readings, in what the bound is measured in, and from when on they are all."""
    query = sql.SQL(SIGNAL).format(
        value=sql.Identifier(rule.metric) if rule.metric else sql.SQL("NULL::float8"),
        trusted=sql.Literal(int(Quality.NOT_EVALUATED)),
        table=sql.Identifier(reading_table(KINDS[device.kind])),
        device=sql.Literal(device.id),
        since=sql.Literal(of.since),
        until=sql.Literal(of.until),
        limit=sql.Literal(most + 1),
    )
    cursor = conn.cursor(binary=True)
    rows = await (await cursor.execute(query)).fetchall()
    cut = len(rows) > most
    rows = rows[:most][::-1]
    times = np.array([row[0] for row in rows], dtype=np.float64)
    values = np.array([row[1] for row in rows], dtype=np.float64)
    good = np.array([row[2] for row in rows], dtype=np.bool_)
    # A moment before the first, as binary fractions of a second are not quite its microsecond.
    since = datetime.fromtimestamp(rows[0][0] - 1e-3, UTC) if cut else of.since
    return Signal(times, changes.as_bounded(rule, values, device.attributes), good), since


def _nothing(actor: Actor, of: Range, reason: Reason) -> Advised:
    return Advised(actor, of.since, 0, 0.0, None, None, nothing_text(reason, 0.0))


def _why(signal: Signal, reason: Reason) -> Label:
    share = signal.suspect_share
    return nothing_text("suspect" if share >= SUSPECT_FROM else reason, share)


def _unit(rule: Rule) -> str:
    """What the bound and its deadband are measured in, as people write it; "" where they are shares."""
    kind = KINDS[rule.kind]
    if rule.metric is None or not changes.in_own_unit(rule):
        return ""
    metric = kind.metrics[rule.metric]
    return metric.sign.en if metric.sign else metric.unit
