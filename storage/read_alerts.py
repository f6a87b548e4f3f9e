"""Alerts, their history and the event log as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.rows import dict_row

from storage.as_json import time_sql
from storage.place import Place, place_sql

Row = dict[str, Any]
State = Literal["open", "unacked", "acked", "active", "cleared_unacked", "shelved", "suppressed", "closed", "all"]
Historical = Literal["false", "true", "any"]

ALERT = f"""
a.id, a.rule, a.kind, a.device_id, coalesce(d.name, a.device_id) AS device_name,
CASE WHEN a.device_id LIKE '$%%/%%' THEN (
    SELECT min(o.district) FROM alert AS m JOIN device AS o ON o.id = m.device_id WHERE m.parent_id = a.id
    HAVING count(DISTINCT o.district) = 1 AND count(*) = count(o.district)) ELSE d.district END AS district,
a.severity, a.peak_severity, a.siaga, CASE WHEN a.active THEN 'active' ELSE 'cleared' END AS state,
a.acked, a.historical, a.worsened, {time_sql("a.raised_at")} AS raised_at, {time_sql("a.detected_at")} AS detected_at,
{time_sql("a.cleared_at")} AS cleared_at, {time_sql("a.acked_at")} AS acked_at, a.acked_by, a.comment,
a.metric, a.value, a.assignee, {time_sql("a.shelved_until")} AS shelved_until, a.shelved_by, a.shelved_why,
CASE WHEN a.window_id IS NOT NULL THEN (SELECT w.what FROM service_window AS w WHERE w.id = a.window_id)
     WHEN a.parent_id IS NOT NULL THEN 'parent' END AS suppressed,
a.window_id, a.parent_id, a.superseded, a.superseded_by, a.version,
CASE WHEN a.device_id LIKE '$%%/%%' OR a.rule = 'stream_silent' THEN (
    SELECT count(DISTINCT m.device_id)::int FROM alert AS m
    WHERE m.parent_id = a.id AND a.kind IN (m.kind, 'installation')) END AS members
"""
TRANSITION = f"""
t.id, t.what, t.from_severity, t.to_severity, t.siaga, {time_sql("t.event_at")} AS event_at,
{time_sql("t.detected_at")} AS detected_at, t.who, t.why, t.value,
{time_sql("t.until")} AS until, t.assignee, t.parent_id
"""
# What is shelved or suppressed is among the open ones only for who asks for it.
STATES: dict[State, str] = {
    "open": "a.open AND NOT a.held",
    "unacked": "a.open AND NOT a.held AND NOT a.acked",
    "acked": "a.open AND NOT a.held AND a.acked",
    "active": "a.open AND NOT a.held AND a.active",
    "cleared_unacked": "a.open AND NOT a.held AND NOT a.active",
    "shelved": "a.open AND a.shelved_until IS NOT NULL",
    "suppressed": "a.open AND (a.window_id IS NOT NULL OR a.parent_id IS NOT NULL)",
    "closed": "NOT a.open AND NOT (a.superseded AND a.historical)",
    "all": "true",
}
# An alert that stands for many is where one of these is.
IS_AT = f"""
({place_sql("d")} OR a.device_id LIKE '$%%/%%' AND EXISTS (
    SELECT FROM alert AS m JOIN device AS o ON o.id = m.device_id WHERE m.parent_id = a.id AND {place_sql("o")}))
"""
FILTERS = f"""
(%(historical)s::boolean IS NULL OR a.historical = %(historical)s)
AND (%(kind)s::text IS NULL OR a.kind = %(kind)s) AND (%(device)s::text IS NULL OR a.device_id = %(device)s)
AND {IS_AT}
AND (%(rule)s::text IS NULL OR a.rule = %(rule)s) AND (%(assignee)s::text IS NULL OR a.assignee = %(assignee)s)
AND (%(since)s::timestamptz IS NULL OR a.raised_at >= %(since)s)
AND (%(parent)s::bigint IS NULL OR a.parent_id = %(parent)s)
AND a.severity >= %(min_severity)s
"""
# What needs a person first, worst first, oldest first. The page after (acked, severity, raised_at, id).
URGENT = f"""
SELECT {ALERT} FROM alert a LEFT JOIN device d ON d.id = a.device_id
WHERE {{state}} AND {FILTERS} AND (%(after_id)s::numeric IS NULL OR
    (a.acked, -a.severity, a.raised_at, a.id) >
    (%(after_acked)s::boolean, -%(after_severity)s::numeric, %(after_raised_at)s::timestamptz, %(after_id)s::numeric))
ORDER BY a.acked, -a.severity, a.raised_at, a.id LIMIT %(limit)s
"""
# Newest first. The page after (raised_at, id).
NEWEST = f"""
SELECT {ALERT} FROM alert a LEFT JOIN device d ON d.id = a.device_id
WHERE {{state}} AND {FILTERS} AND (%(after_id)s::numeric IS NULL OR
    (a.raised_at, a.id) < (%(after_raised_at)s::timestamptz, %(after_id)s::numeric))
ORDER BY a.raised_at DESC, a.id DESC LIMIT %(limit)s
"""
ONE = f"SELECT {ALERT} FROM alert a LEFT JOIN device d ON d.id = a.device_id WHERE a.id = %s"
HISTORY = f"SELECT {TRANSITION} FROM transition t WHERE t.alert_id = %s ORDER BY t.id"
COUNTS = """
SELECT severity, count(*) FILTER (WHERE NOT held), count(*) FILTER (WHERE NOT (held OR acked)),
    count(*) FILTER (WHERE shelved_until IS NOT NULL),
    count(*) FILTER (WHERE window_id IS NOT NULL OR parent_id IS NOT NULL)
FROM alert WHERE open AND NOT historical GROUP BY severity
"""
LAST_EVENT = "SELECT coalesce(max(id), 0) FROM transition"
EVENTS_AFTER = "SELECT count(*) FROM (SELECT FROM transition WHERE id > %s LIMIT %s) AS t"
# The alert as it is now, which may be further on than the transition.
EVENTS = f"""
SELECT (SELECT row_to_json(x) FROM (SELECT {TRANSITION}, t.alert_id) x) AS transition, {ALERT}
FROM transition t JOIN alert a ON a.id = t.alert_id LEFT JOIN device d ON d.id = a.device_id
WHERE t.id > %s ORDER BY t.id LIMIT %s
"""


class Query(NamedTuple):
    """Which alerts; None is any."""

    state: State
    historical: Historical
    limit: int
    kind: str | None = None
    device: str | None = None
    place: Place = Place()
    rule: str | None = None
    assignee: str | None = None
    since: datetime | None = None  # raised then or later
    parent: int | None = None
    min_severity: int = 0

    @property
    def urgent_first(self) -> bool:
        return self.state not in ("closed", "all")


class After(NamedTuple):
    """Where the page before ended."""

    acked: bool
    severity: int
    raised_at: datetime
    id: int


class Counts(NamedTuple):
    """Alerts that are open and shown, of these by severity 0 … 3 those that nobody has acknowledged, and how many are
    shelved and suppressed; historical ones apart."""

    open: int
    unacked: tuple[int, ...]
    shelved: int
    suppressed: int


async def list_alerts(conn: psycopg.AsyncConnection[Any], query: Query, after: After | None) -> list[Row]:
    """Open ones as an operator works them off; others newest first."""
    text = (URGENT if query.urgent_first else NEWEST).format(state=STATES[query.state])
    historical = {"false": False, "true": True, "any": None}[query.historical]
    values = query._asdict() | query.place.values() | {"historical": historical}
    for name in After._fields:
        values[f"after_{name}"] = getattr(after, name) if after else None
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(text.encode(), values)
        return await cursor.fetchall()


async def one_alert(conn: psycopg.AsyncConnection[Any], alert_id: int) -> Row | None:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(ONE, (alert_id,))
        return await cursor.fetchone()


async def history(conn: psycopg.AsyncConnection[Any], alert_id: int) -> list[Row]:
    """Every transition of an alert, in order."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(HISTORY, (alert_id,))
        return await cursor.fetchall()


async def counts(conn: psycopg.AsyncConnection[Any]) -> Counts:
    rows = await (await conn.execute(COUNTS)).fetchall()
    unacked = {severity: unacked for severity, _, unacked, *_ in rows}
    shown, _, shelved, suppressed = (sum(row[i] for row in rows) for i in range(1, 5))
    return Counts(shown, tuple(unacked.get(severity, 0) for severity in range(4)), shelved, suppressed)


async def last_event(conn: psycopg.AsyncConnection[Any]) -> int:
    """The newest id in the event log; 0 while it is empty."""
    row = await (await conn.execute(LAST_EVENT)).fetchone()
    assert row is not None
    return int(row[0])


async def events_after(conn: psycopg.AsyncConnection[Any], event_id: int, at_most: int) -> int:
    """How many events came after this one, counted no further than at_most."""
    row = await (await conn.execute(EVENTS_AFTER, (event_id, at_most))).fetchone()
    assert row is not None
    return int(row[0])


async def events(conn: psycopg.AsyncConnection[Any], after: int, limit: int) -> list[tuple[Row, Row]]:
    """(transition, its alert) in order of the event log."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(EVENTS, (after, limit))
        return [(row.pop("transition"), row) async for row in cursor]
