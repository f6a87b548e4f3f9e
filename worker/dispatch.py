"""Who is told what, and when: once a second what is due becomes messages, written down with the jobs that send them.

One transaction, one dispatcher at a time whichever worker it is in. A crash before the commit changes nothing, after it
nothing is left to do; sending is worker/notify.py. The time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import psycopg

from alerts import notice_route as route_of
from alerts.notice_plan import Plan, PlanError, Route
from alerts.notice_route import Due, Kind, Recipient, Why
from alerts.rule import Level
from alerts.rules_scope import level_on
from devices.device import Device
from devices.kinds import KINDS
from runtime.log import get_logger
from storage import duty, notices, outbox, pages, rules
from storage.notices import Facts, Message
from worker import channels, metrics
from worker.context import Context
from worker.notice_text import Place, Story, compose

log = get_logger(__name__)

# Alerts routed in one transaction, worst first: a flood of 10,000 takes some seconds, and new ones come in between.
TAKEN_MAX = 500
DEAD_DAYS = 7
# The group of messages that tell of what came in quiet hours, which is no group of alerts.
QUIET = "quiet"


class Desk(NamedTuple):
    """What one dispatch works with."""

    here: Context
    conn: psycopg.AsyncConnection[Any]
    plan: Plan
    on_duty: dict[str, list[str]]
    now: datetime
    last_told: dict[tuple[str, str], datetime | None]  # by route and group, as far as it was asked for

    @property
    def place(self) -> Place:
        settings = self.here.settings
        return Place(settings.regency, settings.zone, settings.api_url, settings.notice_lines_max, self.now)


class About(NamedTuple):
    """What a message is about, and for which route and group. whys: by alert."""

    what: Kind
    route: str
    group_key: str
    step: int
    whys: dict[int, Why]
    gone: int = 0


async def dispatch(here: Context) -> float | None:
    """Tell what is due; at once again where more waits."""
    try:
        if here.notices.reload():
            log.info("plan.reloaded", routes=len(here.notices.plan.routes))
            channels.check(here.notices.plan)
    except PlanError as error:
        log.error("plan.refused", why=str(error), then="the plan before stays in force")
    return 0.0 if await dispatch_at(here, datetime.now(UTC)) else None


async def dispatch_at(here: Context, now: datetime) -> bool:
    """Tell what is due at a time. True if there is more."""
    async with here.pool.connection() as conn:
        if not await pages.anything(conn, now):
            return False
        async with conn.transaction():
            if not await pages.alone(conn):
                return False
            desk = Desk(here, conn, here.notices.plan, await duty.on_duty(conn, now), now, {})
            more = await _enter(desk)
            await pages.stop_and_restart(conn, now)
            for route, group_key in await pages.due_groups(conn, now):
                await _tell_group(desk, route, group_key)
            await _go_on(desk)
    return more


async def count_dead(here: Context) -> None:
    """Show dead letters in the metrics; the log had each of them when it was given up."""
    async with here.pool.connection() as conn:
        metrics.NOTICES_DEAD.set(await notices.dead(conn, datetime.now(UTC) - timedelta(days=DEAD_DAYS)))


async def _enter(desk: Desk) -> bool:
    """Ask the plan about what is new, and have what is over called off; True if that was not all."""
    taken = await pages.take(desk.conn, TAKEN_MAX)
    for why, subject in taken:
        for route in route_of.routes_of(desk.plan, subject):
            group = route_of.group_of(route, subject)
            await _wait(desk, route, group, subject.alert_id, subject.severity, why)
    ended = await pages.ended(desk.conn, TAKEN_MAX)
    for alert_id, name, group, severity in ended:
        known = desk.plan.route(name)
        if known is None:
            await pages.wait(desk.conn, name, group, alert_id, "over", Due(desk.now, False))
        else:
            await _wait(desk, known, group, alert_id, severity, "over")
    return TAKEN_MAX in (len(taken), len(ended))


async def _wait(desk: Desk, route: Route, group: str, alert_id: int, severity: int, why: Why) -> None:
    if (route.name, group) not in desk.last_told:
        desk.last_told[route.name, group] = await notices.last_told(desk.conn, route.name, group)
    last = desk.last_told[route.name, group]
    due = route_of.due(route, severity, desk.now, last, desk.here.settings.zone)
    await pages.wait(desk.conn, route.name, group, alert_id, why, due)


async def _tell_group(desk: Desk, name: str, group_key: str | None) -> None:
    """Tell of all that waits in a group: what stands to the first step, what is over to whoever was told of it."""
    waiting = await pages.flush(desk.conn, name, group_key)
    shown = QUIET if group_key is None else group_key
    over = [each.alert_id for each in waiting if each.why == "over" and each.paged and not each.active]
    if over:
        await _call_off(desk, About("over", name, shown, 0, dict.fromkeys(over, "over")))
    # Held by now, as an incident stands for it, say; or over before anybody was told; or its end was overtaken.
    stands = {each.alert_id: each for each in waiting if each.active and not each.held and each.why != "over"}
    gone = sum(not (each.active or each.paged) for each in waiting) if group_key is None else 0
    route = desk.plan.route(name)
    if route is None or not (stands or gone):
        return
    whys = {number: each.why for number, each in stands.items()}
    what = "digest" if group_key is None else route_of.kind_of(whys.values())
    await _tell_step(desk, route, About(what, name, shown, 0, whys, gone))
    await _turn(desk, route, 0, {number: each.group_key for number, each in stands.items()})


async def _go_on(desk: Desk) -> None:
    """Escalate and repeat what nobody has acknowledged."""
    due = await pages.due_pages(desk.conn, desk.now)
    for (name, group, step, escalates), found in groupby(due, lambda p: (p.route, p.group_key, p.step, p.escalates)):
        route = desk.plan.route(name)
        mine = list(found)
        if route is None or step + escalates >= len(route.steps):  # the plan is another one now
            await pages.put_off(desk.conn, name, [page.alert_id for page in mine], desk.now, None)
            continue
        loud = [page.alert_id for page in mine if not await _wait_for_day(desk, route, page)]
        if not loud:
            continue
        whys: dict[int, Why] = dict.fromkeys(loud, "again")
        if escalates:
            await _tell_step(desk, route, About("escalated", name, group, step + 1, whys))
            await _turn(desk, route, step + 1, dict.fromkeys(loud, group))
        else:
            await _tell_step(desk, route, About("repeat", name, group, step, whys))
            await pages.put_off(desk.conn, name, loud, desk.now, route_of.repeat_at(route, desk.now))


async def _wait_for_day(desk: Desk, route: Route, page: pages.Page) -> bool:
    """Put what is due of a page off to the end of the quiet hours, where it falls into them."""
    until = route_of.quiet_until(route.quiet, page.severity, desk.now, desk.here.settings.zone)
    if until is not None:
        await pages.put_off(desk.conn, route.name, [page.alert_id], desk.now, until)
    return until is not None


async def _tell_step(desk: Desk, route: Route, about: About) -> None:
    """Tell the people of a step; of what is still there, those of all steps so far."""
    steps = route.steps[: about.step + 1] if about.what == "repeat" else route.steps[about.step : about.step + 1]
    to = route_of.recipients(desk.plan, steps, desk.on_duty)
    for note in sorted({each.note for each in to if each.note}):
        log.warning("duty.nobody", route=route.name, step=about.step, why=note)
    await _write(desk, about, to, list(about.whys))


async def _turn(desk: Desk, route: Route, step: int, groups: dict[int, str]) -> None:
    """These alerts have been told to a step: what comes after it."""
    if groups:
        after, again = route_of.next_step_at(route, step, desk.now), route_of.repeat_at(route, desk.now)
        await pages.turn(desk.conn, route.name, groups, desk.now, step, after, again)


async def _call_off(desk: Desk, about: About) -> None:
    """Tell those who were told, each of what they were told of, whatever became of plan and roster since."""
    told = await notices.told(desk.conn, about.route, list(about.whys))
    alike: dict[tuple[int, ...], list[Recipient]] = {}
    for to, alerts in told.items():
        alike.setdefault(tuple(alerts), []).append(to)
    for ids, group in alike.items():
        await _write(desk, about, group, ids)
    await pages.close(desk.conn, about.route, list(about.whys))


async def _write(desk: Desk, about: About, to: Iterable[Recipient], ids: Sequence[int]) -> None:
    """Write a message down for each of these, with the job that sends it."""
    story = await _story(desk, about, await notices.facts(desk.conn, ids))
    texts = {language: compose(story, language, desk.place) for language in {each.language for each in to}}
    severity = max((each.severity if each.active else each.peak_severity for each in story.alerts), default=0)
    message = Message(desk.now, about.route, about.group_key, about.step, about.what, severity)
    for each in to:
        text = texts[each.language]
        number = await notices.add(desk.conn, message, each, text.title, text.body, ids)
        await outbox.defer_delivery(desk.here.outbox, desk.conn, number)
        log.info("notice.made", delivery=number, what=about.what, route=about.route, who=each.who, alerts=len(ids))


async def _story(desk: Desk, about: About, alerts: Sequence[Facts]) -> Story:
    if not alerts:
        return Story(about.what, alerts, gone=about.gone)
    first = alerts[0]
    # Of a river people ask at once how fast it rises.
    kind = KINDS.get(first.kind) if first.siaga is not None else None
    per_hour = await notices.change_per_hour(desk.conn, kind, first) if kind else None
    level = None if about.what == "over" else await _level(desk, first)
    why = about.whys[first.alert_id] if len(alerts) == 1 and about.what == "raised" else None
    return Story(about.what, alerts, per_hour, level, why, about.gone)


async def _level(desk: Desk, alert: Facts) -> Level | None:
    in_force = (await rules.read(desk.conn)).rules
    device = Device(alert.device_id, alert.kind, district=alert.district, attributes=alert.attributes)
    return level_on(in_force, device, alert.rule, alert.severity)
