"""Takes alerts that have one cause together, as one incident that is shown and told in their place.

Not in ingest: the hot path stays as it is. The event log is followed from where the last look ended, which is kept with
what came of it, in one transaction: killed anywhere, or done by two workers at once, it comes out the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from alerts.incident import Group, kind_of
from alerts.incident_plan import Step, plan, told
from alerts.installation import STREAM_SILENT, SUBJECT
from alerts.life import SERVER
from alerts.rule import Rule
from alerts.rules_set import RuleSet
from runtime.log import get_logger
from storage import event_log, incident_facts, incidents, rules
from storage.alert_act import suppress
from storage.incident_facts import Known, Position, Standing, Touched
from worker.context import Context

log = get_logger(__name__)

Conn = psycopg.AsyncConnection[Any]
# Events in one transaction: so long ingest waits for the log. 10,000 lamps of 50 panels that fall dark at once take
# five looks of 0.25 to 0.5 s.
EVENTS_MAX = 2_000
NOTHING_ARRIVES = "nothing arrives at all"


async def group(here: Context) -> None:
    """Follow the event log to its end."""
    async with here.pool.connection() as conn:
        while await look(conn, datetime.now(UTC), here.settings.notice_severity):
            if here.stop.is_set():
                return


async def look(conn: Conn, now: datetime, notice_severity: int) -> bool:
    """Bring incidents up to date; whether there is more to follow."""
    if not await _anything(conn):
        return False
    async with conn.transaction():
        await conn.execute(event_log.LOCK)
        return await _Look(conn, now, notice_severity).look()


async def _anything(conn: Conn) -> bool:
    """Whether there is anything to do: asked without the log's lock."""
    at = await incident_facts.position(conn)
    return (
        at is None
        or at.event_id < await incident_facts.newest_event(conn)
        or at.rules_version != await rules.version(conn)
        or await incidents.is_untidy(conn)
        or bool(await incident_facts.dwindling(conn))
    )


class _Look:
    """One look, with the log in hand."""

    def __init__(self, conn: Conn, now: datetime, notice_severity: int) -> None:
        self._conn, self._now, self._least = conn, now, notice_severity

    async def look(self) -> bool:
        conn = self._conn
        newest = await incident_facts.newest_event(conn)
        # What is there before the first look is taken as it stands.
        was = await incident_facts.position(conn) or Position(newest, -1)
        in_force = await rules.read(conn)
        until = await incident_facts.up_to(conn, was.event_id, EVENTS_MAX)
        together = [rule for rule in in_force.rules if rule.condition == "together" and rule.enabled]
        await self._end_unasked(in_force, together, was.rules_version)
        await self._stream(in_force)
        of = {each for rule in together for each in rule.gathers}
        touched = await incident_facts.events(conn, was.event_id, until, of)
        changed = [each.rule for each in in_force.in_force if each.version > was.rules_version]
        fresh = {each for rule in together if rule in changed for each in rule.gathers}
        if fresh:
            touched += await incident_facts.standing_alerts(conn, fresh, self._now)
        dwindling = await incident_facts.dwindling(conn)
        standing = await incident_facts.standing(conn)
        for rule in together:
            mine = [each for each in touched if each.rule in rule.gathers]
            groups = [found for rule_id, found in dwindling if rule_id == rule.id and found.by in rule.by]
            if mine or groups:
                others = [each for each in standing if each.rule != rule.id and not each.historical]
                await self._rule(rule, in_force.rules, (mine, groups), _Reserved(others, together))
        await incidents.tidy(conn, self._now, self._least)
        await incident_facts.keep_position(conn, Position(until, in_force.version))
        return until < newest

    async def _rule(
        self, rule: Rule, every: Sequence[Rule], due: tuple[Sequence[Touched], Sequence[Group]], reserved: _Reserved
    ) -> None:
        conn, (touched, groups) = self._conn, due
        at_hand = await incident_facts.known(conn, {each.device for each in touched})
        asked = {group for device in at_hand.values() for group in device.groups(rule.by)} | set(groups)
        # Their devices may be in other groups too: the feeders of a panel.
        devices = _watched(rule, every, await incident_facts.sharing(conn, asked))
        asked |= {group for device in devices.values() for group in device.groups(rule.by)}
        if not asked:
            return
        devices = _watched(rule, every, await incident_facts.sharing(conn, asked))
        found = incident_facts.by_group(devices, rule.by)
        live, late = (self._since(rule, touched, historical) for historical in (False, True))
        kept = await incident_facts.kept(conn, rule.id, asked, late)
        steps = await incident_facts.steps(conn, devices.keys(), rule.gathers, live, late, kept)
        given = told(reserved.without(steps, devices), rule.alone)
        wanted = plan(rule, {group: found.get(group, frozenset()) for group in asked}, given, kept, self._now)
        await incidents.Writer(conn, rule, self._now, self._least).write(wanted)

    def _since(self, rule: Rule, touched: Iterable[Touched], historical: bool) -> datetime:
        """Alerts that had cleared before do not matter for what has moved now."""
        since = min((each.since for each in touched if each.historical is historical), default=self._now)
        return min(since, self._now) - timedelta(seconds=rule.within_s + rule.delay_off_s)

    async def _end_unasked(self, in_force: RuleSet, together: Sequence[Rule], seen: int) -> None:
        """End incidents whose rule is gone, disabled or another one since."""
        changed = {each.rule.variant for each in in_force.in_force if each.version > max(seen, 0)}
        unchanged = {(rule.id, kind_of(rule), by) for rule in together if rule.variant not in changed for by in rule.by}
        standing = await incident_facts.standing(self._conn)
        ids = [each.id for each in standing if (each.rule, each.kind, each.group.by) not in unchanged]
        if ids:
            why = f"rule changed (version {in_force.version})"
            await incidents.clear(self._conn, ids, self._now, why, self._least)
            await incidents.tidy(self._conn, self._now, self._least)

    async def _stream(self, in_force: RuleSet) -> None:
        """Whoever is silent because nothing arrives at all is no fault of its own."""
        stale = {rule.id for rule in in_force.rules if rule.condition == "stale"}
        for parent, alerts in (await incident_facts.unheard(self._conn, STREAM_SILENT.rule, SUBJECT, stale)).items():
            await suppress(self._conn, alerts, parent, SERVER, NOTHING_ARRIVES, self._now)


def _watched(rule: Rule, every: Iterable[Rule], devices: Mapping[str, Known]) -> dict[str, Known]:
    """Those whose kind the rule is about, or of which one alert is enough for it.

    A rule for all kinds gives way to one of its id for the kind."""
    own = {each.kind for each in every if each.id == rule.id}
    alone = {each.kind for each in every if each.id in rule.alone}
    return {
        device_id: device
        for device_id, device in devices.items()
        if device.kind == rule.kind or device.kind in alone or (rule.kind == "*" and device.kind not in own)
    }


class _Reserved:
    """What belongs to incidents of other rules that stand already: a dark panel's lamps fall silent hours later, and
    that is no silent gateway."""

    def __init__(self, standing: Iterable[Standing], together: Iterable[Rule]) -> None:
        rule_of = {rule.id: rule for rule in together}
        self._standing = [(each, rule_of[each.rule]) for each in standing if each.rule in rule_of]

    def without(self, steps: Iterable[Step], devices: Mapping[str, Known]) -> list[Step]:
        """Steps of alerts that no other rule's incident waits for."""
        taken: set[int] = set()
        found = list(steps)
        for step in found:
            device = devices.get(step.device)
            if step.what == "raised" and step.parent is None and device and self._waits(step, device):
                taken.add(step.alert)
        return [step for step in found if step.alert not in taken]

    def _waits(self, step: Step, device: Known) -> bool:
        return any(
            step.rule in rule.gathers
            and device.attributes.get(each.group.by) == each.group.name
            and step.at >= each.begin - timedelta(seconds=rule.within_s)
            for each, rule in self._standing
        )
