"""Incidents into rows: raised, ended, who is under which. In a transaction of the caller, which holds the event log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg

from alerts import words
from alerts.engine import Transition, What
from alerts.incident import Group, kind_of
from alerts.incident_plan import Kept, Plan, Wanted
from alerts.life import SERVER
from alerts.rule import Key, Rule
from alerts.rules_change import Standing, closings
from storage import event_log
from storage.alert_act import release, suppress
from storage.alert_write import write_transitions
from storage.announce import announce, announce_back
from storage.event_log import Deed

Conn = psycopg.AsyncConnection[Any]

# What late data tells of is written as it was, over or not. One open alert per rule and group: while there is another,
# it waits for its end.
KEEP_LATE = """
INSERT INTO alert (rule, device_id, kind, severity, peak_severity, active, historical, raised_at, detected_at,
                   cleared_at, value)
VALUES (%(rule)s, %(subject)s, %(kind)s, %(severity)s, %(severity)s, %(end)s::timestamptz IS NULL, true, %(begin)s,
        %(now)s, %(end)s, %(devices)s)
ON CONFLICT (rule, device_id) WHERE open DO NOTHING RETURNING id
"""
RETIME = """
UPDATE alert AS a SET raised_at = %(begin)s, cleared_at = %(end)s, active = %(end)s::timestamptz IS NULL,
    value = %(devices)s, version = version + 1
WHERE a.id = %(id)s AND (%(end)s::timestamptz IS NOT NULL OR NOT EXISTS (
    SELECT FROM alert AS o WHERE o.rule = a.rule AND o.device_id = a.device_id AND o.open AND o.id <> a.id))
RETURNING a.id
"""
# What stands although what stood for it is over; and what is over, while somebody looks after the incident or it is
# over itself.
ALONE = """
SELECT a.id FROM alert AS a JOIN alert AS p ON p.id = a.parent_id WHERE a.open AND a.active AND NOT p.active
"""
OVER = """
UPDATE alert AS a SET acked = true, acked_at = %(at)s, acked_by = %(who)s, comment = %(why)s, worsened = false,
    version = a.version + 1
FROM alert AS p
WHERE p.id = a.parent_id AND a.open AND NOT (a.active OR a.acked OR a.historical) AND (p.acked OR NOT p.active)
RETURNING a.id
"""
UNTIDY = """
SELECT EXISTS (SELECT FROM alert AS a JOIN alert AS p ON p.id = a.parent_id WHERE a.open AND (
    a.active AND NOT p.active OR NOT (a.active OR a.acked OR a.historical) AND (p.acked OR NOT p.active)))
"""
OF_RULE = """
SELECT rule, device_id, kind, metric, severity, peak_severity, siaga, historical
FROM alert WHERE id = ANY (%s) AND open AND active ORDER BY id
"""
PARENTS = "SELECT id, parent_id FROM alert WHERE id = ANY (%s)"
PART_OF = "part of an incident"
NO_LONGER = "no longer part of it"
IS_OVER = "the incident is over"
TAKEN_OVER = "part of a larger one"
NOT_ONE = "no incident of its own, as more late data shows"
LATE_DATA = "more late data"


class Writer:
    """Writes what one rule's incidents should be, and has people told where that is due."""

    def __init__(self, conn: Conn, rule: Rule, now: datetime, notice_severity: int) -> None:
        self._conn, self._rule, self._now, self._least = conn, rule, now, notice_severity

    async def write(self, plan: Plan) -> None:
        """Begin what has begun, move members, end what is over. What is so already stays as it is."""
        numbers: list[int | None] = []
        for each in plan.wanted:
            numbers.append(number := await self._begun(each))
            # Of a group that was out twice: the first is over before the second begins, in the same row.
            if number is not None and each.outage.end is not None:
                await self._end(each, number)
        # Where an incident could not be written yet, nobody moves.
        under = {
            alert: None if index is None else numbers[index]
            for alert, index in plan.parents.items()
            if index is None or numbers[index] is not None
        }
        await self._move(under, {n: each.group for n, each in zip(numbers, plan.wanted, strict=True) if n})
        for kept in plan.void:
            await self._void(kept)

    async def _begun(self, each: Wanted) -> int | None:
        """The incident's id, once it is written down; None where it cannot be yet."""
        if each.historical:
            return await self._begun_late(each)
        if each.kept is not None and not each.goes_live:
            return each.kept.id
        what: What = "went_live" if each.goes_live else "raised"
        severity = self._rule.level[0].severity
        moved = Transition(
            Key(self._rule.id, each.group.subject), self._kind, what, None, severity if each.goes_live else None,
            severity, None, self._now if each.goes_live else each.outage.begin, each.devices, False, severity,
        )  # fmt: skip
        written = await write_transitions(self._conn, [moved], self._now)
        await announce(self._conn, written, self._least)
        return written[0].alert_id if written else None

    async def _begun_late(self, each: Wanted) -> int | None:
        values = self._late_values(each.group, each.outage.begin, each.outage.end, each.devices)
        if each.kept is None:
            row = await (await self._conn.execute(KEEP_LATE, values)).fetchone()
            if row is not None:
                await self._log(row[0], "raised", each.outage.begin, each.devices, None)
            return None if row is None else int(row[0])
        if (each.kept.begin, each.kept.end) != (each.outage.begin, each.outage.end):
            if await (await self._conn.execute(RETIME, values | {"id": each.kept.id})).fetchone() is None:
                return None
            if each.kept.begin != each.outage.begin or (each.kept.end and each.outage.end is None):
                await self._log(each.kept.id, "raised", each.outage.begin, each.devices, LATE_DATA)
        return each.kept.id

    async def _end(self, each: Wanted, number: int) -> None:
        assert each.outage.end is not None
        if each.historical:
            if each.kept is None or each.kept.end != each.outage.end or each.kept.begin != each.outage.begin:
                await self._log(number, "cleared", each.outage.end, each.devices, LATE_DATA if each.kept else None)
            return
        severity = self._rule.level[0].severity
        why = None if each.outage.members else TAKEN_OVER
        moved = Transition(
            Key(self._rule.id, each.group.subject), self._kind, "cleared", None, severity, None, None,
            each.outage.end, each.devices, False, severity, why,
        )  # fmt: skip
        await announce(self._conn, await write_transitions(self._conn, [moved], self._now), self._least)

    async def _void(self, kept: Kept) -> None:
        end = kept.end or self._now
        if kept.end is None:
            values = self._late_values(kept.group, kept.begin, end, 0) | {"id": kept.id}
            await self._conn.execute(RETIME, values)
            await self._log(kept.id, "cleared", end, 0, NOT_ONE)

    async def _move(self, under: dict[int, int | None], groups: dict[int, Group]) -> None:
        now = await current_parents(self._conn, under)
        moved = {alert: parent for alert, parent in under.items() if now.get(alert) != parent}
        out = sorted(alert for alert in moved if now.get(alert) is not None)
        events = await release(self._conn, out, SERVER, NO_LONGER, self._now) if out else []
        into: defaultdict[int, list[int]] = defaultdict(list)
        for alert, parent in moved.items():
            if parent is not None:
                into[parent].append(alert)
        for parent, alerts in into.items():
            why = f"part of: {words.group_name(groups[parent]).en}"
            await suppress(self._conn, sorted(alerts), parent, SERVER, why, self._now)
        await announce_back(self._conn, events, self._least)

    @property
    def _kind(self) -> str:
        return kind_of(self._rule)

    def _late_values(self, group: Group, begin: datetime, end: datetime | None, devices: int) -> dict[str, Any]:
        return {
            "rule": self._rule.id, "subject": group.subject, "kind": self._kind, "begin": begin, "end": end,
            "severity": self._rule.level[0].severity, "now": self._now, "devices": devices,
        }  # fmt: skip

    async def _log(self, number: int, what: What, at: datetime, devices: int, why: str | None) -> None:
        severity = self._rule.level[0].severity
        was, then = (None, severity) if what == "raised" else (severity, None)
        values = {
            "alert_id": number, "what": what, "from_severity": was, "to_severity": then, "siaga": None, "event_at": at,
            "detected_at": self._now, "who": None, "why": why, "value": devices,
        }  # fmt: skip
        await self._conn.execute(event_log.INSERT, values)


async def current_parents(conn: Conn, alerts: Iterable[int]) -> dict[int, int | None]:
    """What stands for these alerts."""
    return dict(await (await conn.execute(PARENTS, (list(alerts),))).fetchall())


async def clear(conn: Conn, incidents: Sequence[int], now: datetime, why: str, notice_severity: int) -> None:
    """End incidents that no rule asks for any more; `tidy` lets out whom they stood for."""
    rows = await (await conn.execute(OF_RULE, (list(incidents),))).fetchall()
    found = [Standing(Key(rule, subject), *rest) for rule, subject, *rest in rows]
    written = await write_transitions(conn, closings(found, now, lambda _: why), now)
    await announce(conn, written, notice_severity)


async def is_untidy(conn: Conn) -> bool:
    """Whether `tidy` has anything to do: asked without the log's lock."""
    row = await (await conn.execute(UNTIDY)).fetchone()
    return bool(row and row[0])


async def tidy(conn: Conn, now: datetime, notice_severity: int) -> int:
    """Let out what stands alone, and acknowledge what came and went with an incident; how many were told of.

    What is kept and what should be are compared, so whoever ended an incident, and wherever it was killed, it comes
    out right.
    """
    alone = [number for (number,) in await (await conn.execute(ALONE)).fetchall()]
    events = await release(conn, alone, SERVER, IS_OVER, now) if alone else []
    values = {"at": now, "who": SERVER, "why": PART_OF}
    over = sorted(number for (number,) in await (await conn.execute(OVER, values)).fetchall())
    if over:
        await event_log.tell(conn, over, Deed("acked", SERVER, now, PART_OF))
    return await announce_back(conn, events, notice_severity)
