"""What waits to be told and who was told of what stands: the outbox, groups that wait, pages that escalate.

One dispatcher works on these at a time, whichever worker it is in: LOCK. So nothing here can be overtaken but by what
happens to alerts meanwhile, and that is found at the next look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

from alerts.notice_route import Due, Subject, Why

# "siaga no" in ASCII.
LOCK = "SELECT pg_try_advisory_xact_lock(x'7369616761206e6f'::bigint)"
STANDS = "p.open AND a.active AND NOT a.acked AND NOT a.held"
HOW = "CASE WHEN a.acked THEN 'acked' WHEN a.held THEN 'held' END"
OVER = """
FROM page AS p JOIN alert AS a ON a.id = p.alert_id LEFT JOIN notice_waiting AS w USING (alert_id, route)
WHERE p.open AND NOT a.active AND w.why IS DISTINCT FROM 'over'
"""
# By people, or by another alert that stands for it.
TO_STOP = f"p.open AND a.active AND (a.acked OR a.held) AND p.stopped IS DISTINCT FROM {HOW}"
AGAIN = f"{STANDS} AND p.stopped = 'acked'"
NEXT = f"{STANDS} AND (p.next_step_at <= %(at)s OR p.repeat_at <= %(at)s)"
# Asked each second, without the lock; nearly always there is nothing.
ANYTHING = f"""
SELECT EXISTS (SELECT FROM notice_outbox) OR EXISTS (SELECT FROM notice_waiting WHERE due_at <= %(at)s)
    OR EXISTS (SELECT {OVER})
    OR EXISTS (SELECT FROM page AS p JOIN alert AS a ON a.id = p.alert_id WHERE {TO_STOP} OR {AGAIN} OR {NEXT})
"""
# An incident is where the devices of its group are ($panel/P-07, alerts/incident.py).
PLACE = """
(SELECT min(x.district) FROM device AS x WHERE d.id IS NULL AND x.kind = a.kind
 AND x.attributes ->> substr(split_part(a.device_id, '/', 1), 2) = substr(a.device_id, strpos(a.device_id, '/') + 1))
"""
SUBJECT = f"""
a.id, a.rule, a.kind, coalesce(t.to_severity, a.severity), a.device_id, coalesce(d.district, {PLACE}), d.id IS NOT NULL,
coalesce(d.attributes, '{{}}')
"""
TAKE = f"""
WITH taken AS (
    DELETE FROM notice_outbox WHERE transition_id IN (
        SELECT o.transition_id FROM notice_outbox AS o JOIN transition AS t ON t.id = o.transition_id
        JOIN alert AS a ON a.id = t.alert_id ORDER BY a.severity DESC, t.id LIMIT %s)
    RETURNING transition_id, why
)
SELECT taken.why, {SUBJECT} FROM taken JOIN transition AS t ON t.id = taken.transition_id
JOIN alert AS a ON a.id = t.alert_id LEFT JOIN device AS d ON d.id = a.device_id ORDER BY taken.transition_id
"""
ENDED = f"""
SELECT a.id AS alert_id, p.route, p.group_key, a.peak_severity AS severity {OVER} ORDER BY a.id, p.route LIMIT %s
"""
# The newest word about an alert counts; one that nobody knows of is still new to them when it is worse.
WAIT = """
INSERT INTO notice_waiting AS w (route, alert_id, group_key, why, quiet, due_at)
VALUES (%(route)s, %(alert_id)s, %(group_key)s, %(why)s, %(quiet)s, %(due_at)s)
ON CONFLICT (route, alert_id) DO UPDATE SET
    why = CASE WHEN excluded.why = 'worse' AND w.why IN ('new', 'now live', 'back') THEN w.why ELSE excluded.why END,
    group_key = excluded.group_key, quiet = w.quiet AND excluded.quiet, due_at = least(w.due_at, excluded.due_at)
"""
WAIT_AGAIN = f"""
INSERT INTO notice_waiting (route, alert_id, group_key, why, quiet, due_at)
SELECT p.route, p.alert_id, p.group_key, 'again', false, %(at)s FROM page AS p JOIN alert AS a ON a.id = p.alert_id
WHERE {AGAIN}
ON CONFLICT DO NOTHING
"""
STOP = f"""
UPDATE page AS p SET stopped = {HOW}, next_step_at = NULL, repeat_at = NULL FROM alert AS a
WHERE a.id = p.alert_id AND {TO_STOP}
"""
GROUPS = """
SELECT DISTINCT route, CASE WHEN NOT quiet THEN group_key END FROM notice_waiting WHERE due_at <= %s ORDER BY 1, 2
"""
FLUSH = """
DELETE FROM notice_waiting AS w USING alert AS a
WHERE w.route = %(route)s AND a.id = w.alert_id
  AND CASE WHEN %(group_key)s::text IS NULL THEN w.quiet ELSE NOT w.quiet AND w.group_key = %(group_key)s END
RETURNING w.alert_id, w.why, w.group_key, a.active, a.held,
    EXISTS (SELECT FROM page AS p WHERE p.alert_id = w.alert_id AND p.route = w.route AND p.open)
"""
TURN = """
INSERT INTO page AS p (alert_id, route, group_key, opened_at, step, next_step_at, repeat_at)
SELECT t.id, %(route)s, t.group_key, %(at)s, %(step)s, %(next_step_at)s, %(repeat_at)s
FROM unnest(%(ids)s::bigint[], %(groups)s::text[]) AS t(id, group_key)
ON CONFLICT (alert_id, route) DO UPDATE SET
    opened_at = CASE WHEN p.open THEN p.opened_at ELSE excluded.opened_at END, open = true, stopped = NULL,
    group_key = excluded.group_key, step = excluded.step, next_step_at = excluded.next_step_at,
    repeat_at = excluded.repeat_at
"""
CLOSE = """
UPDATE page SET open = false, next_step_at = NULL, repeat_at = NULL, stopped = NULL
WHERE route = %(route)s AND alert_id = ANY (%(ids)s)
"""
PUT_OFF = """
UPDATE page SET
    next_step_at = CASE WHEN next_step_at <= %(at)s THEN %(until)s ELSE next_step_at END,
    repeat_at = CASE WHEN repeat_at <= %(at)s THEN %(until)s ELSE repeat_at END
WHERE route = %(route)s AND alert_id = ANY (%(ids)s)
"""
DUE_PAGES = f"""
SELECT p.alert_id, p.route, p.group_key, p.step, coalesce(p.next_step_at <= %(at)s, false) AS escalates, a.severity
FROM page AS p JOIN alert AS a ON a.id = p.alert_id WHERE {NEXT}
ORDER BY p.route, p.group_key, p.step, escalates, p.alert_id
"""


class Ended(NamedTuple):
    """An alert that is over, on a route that told of it."""

    alert_id: int
    route: str
    group_key: str
    severity: int  # the worst it has been


class Waiting(NamedTuple):
    """What was to be told of an alert, and how it stands now. paged: people were told of it on this route."""

    alert_id: int
    why: Why
    group_key: str
    active: bool
    held: bool
    paged: bool


class Page(NamedTuple):
    """An alert whose next step (escalates) or repetition is due."""

    alert_id: int
    route: str
    group_key: str
    step: int
    escalates: bool
    severity: int


async def anything(conn: psycopg.AsyncConnection[Any], at: datetime) -> bool:
    """Whether there is anything to do."""
    row = await (await conn.execute(ANYTHING.encode(), {"at": at})).fetchone()
    return bool(row and row[0])


async def alone(conn: psycopg.AsyncConnection[Any]) -> bool:
    """Become the one dispatcher until the end of the transaction. False where another is at it."""
    row = await (await conn.execute(LOCK)).fetchone()
    return bool(row and row[0])


async def take(conn: psycopg.AsyncConnection[Any], limit: int) -> list[tuple[Why, Subject]]:
    """Take the worst of the outbox, of these the oldest, with the alerts they are about as these are now."""
    rows = await (await conn.execute(TAKE.encode(), (limit,))).fetchall()
    return [(why, Subject(*subject)) for why, *subject in rows]


async def ended(conn: psycopg.AsyncConnection[Any], limit: int) -> list[Ended]:
    """What is over, where people were told of it, and does not wait yet to be called off."""
    async with conn.cursor(row_factory=class_row(Ended)) as cursor:
        await cursor.execute(ENDED.encode(), (limit,))
        return await cursor.fetchall()


async def wait(
    conn: psycopg.AsyncConnection[Any], route: str, group_key: str, alert_id: int, why: Why, due: Due
) -> None:
    """Have an alert told with its group, or with what waits for the end of the quiet hours."""
    values = {"route": route, "group_key": group_key, "alert_id": alert_id, "why": why}
    await conn.execute(WAIT, values | {"quiet": due.quiet, "due_at": due.at})


async def stop_and_restart(conn: psycopg.AsyncConnection[Any], at: datetime) -> None:
    """Stop pages of what somebody looks after or nobody sees; have told again what nobody looks after any more."""
    await conn.execute(STOP.encode())
    await conn.execute(WAIT_AGAIN.encode(), {"at": at})


async def due_groups(conn: psycopg.AsyncConnection[Any], at: datetime) -> list[tuple[str, str | None]]:
    """Routes and keys of groups that are to be told now; None: what has waited for the end of the quiet hours."""
    return [(route, group) async for route, group in await conn.execute(GROUPS, (at,))]


async def flush(conn: psycopg.AsyncConnection[Any], route: str, group_key: str | None) -> list[Waiting]:
    """Take all that waits in a group, whether it is due or not."""
    rows = await (await conn.execute(FLUSH, {"route": route, "group_key": group_key})).fetchall()
    return sorted(Waiting(*row) for row in rows)


async def due_pages(conn: psycopg.AsyncConnection[Any], at: datetime) -> list[Page]:
    """What nobody has acknowledged in time, by route, group and step."""
    async with conn.cursor(row_factory=class_row(Page)) as cursor:
        await cursor.execute(DUE_PAGES.encode(), {"at": at})
        return await cursor.fetchall()


async def turn(
    conn: psycopg.AsyncConnection[Any],
    route: str,
    groups: Mapping[int, str],
    at: datetime,
    step: int,
    next_step_at: datetime | None,
    repeat_at: datetime | None,
) -> None:
    """Open the pages of alerts, or turn them to a step that has just been told. groups: of each alert its group."""
    values = {
        "route": route, "ids": list(groups), "groups": list(groups.values()), "at": at, "step": step,
        "next_step_at": next_step_at, "repeat_at": repeat_at,
    }  # fmt: skip
    await conn.execute(TURN, values)


async def close(conn: psycopg.AsyncConnection[Any], route: str, ids: Sequence[int]) -> None:
    """Nothing more is told of these alerts on this route."""
    await conn.execute(CLOSE, {"route": route, "ids": list(ids)})


async def put_off(
    conn: psycopg.AsyncConnection[Any], route: str, ids: Sequence[int], at: datetime, until: datetime | None
) -> None:
    """Have what is due of these pages come later; None: never."""
    await conn.execute(PUT_OFF, {"route": route, "ids": list(ids), "at": at, "until": until})
