"""Incidents as the API shows them: alerts that stand for others, and who is or was under them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.rows import dict_row

from storage.as_json import time_sql
from storage.place import Place
from storage.read_alerts import ALERT, IS_AT, Historical, Row

State = Literal["open", "closed", "all"]

# Of groups, and of the whole stream. Late data that turned out to be part of another incident has left one of nobody.
IS_INCIDENT = """
a.device_id LIKE '$%%' AND (a.device_id LIKE '$%%/%%' OR a.rule = 'stream_silent')
AND (NOT a.historical OR EXISTS (SELECT FROM alert AS m WHERE m.parent_id = a.id))
"""
# Devices that are or were under it. ever: at any time.
NUMBERS = """
SELECT count(DISTINCT m.device_id)::int AS ever,
    (count(DISTINCT m.device_id) FILTER (WHERE m.parent_id = %(id)s AND m.active))::int AS active,
    (count(DISTINCT m.device_id) - count(DISTINCT m.device_id) FILTER (WHERE m.parent_id = %(id)s))::int AS released
FROM alert AS m
WHERE m.id IN (SELECT t.alert_id FROM transition AS t WHERE t.parent_id = %(id)s AND t.what = 'suppressed')
"""
STATES: dict[State, str] = {"open": "a.open", "closed": "NOT a.open", "all": "true"}
# Newest first. The page after (raised_at, id).
LIST = f"""
SELECT {ALERT} FROM alert AS a LEFT JOIN device AS d ON d.id = a.device_id
WHERE {IS_INCIDENT} AND {{state}} AND (%(historical)s::boolean IS NULL OR a.historical = %(historical)s)
  AND (%(since)s::timestamptz IS NULL OR a.raised_at >= %(since)s)
  AND (%(kind)s::text IS NULL OR a.kind = %(kind)s) AND a.severity >= %(min_severity)s AND {IS_AT}
  AND (%(after_id)s::numeric IS NULL OR
       (a.raised_at, a.id) < (%(after_raised_at)s::timestamptz, %(after_id)s::numeric))
ORDER BY a.raised_at DESC, a.id DESC LIMIT %(limit)s
"""
ONE = (
    f"SELECT {ALERT} FROM alert AS a LEFT JOIN device AS d ON d.id = a.device_id WHERE a.id = %(id)s AND {IS_INCIDENT}"
)
# Each alert with when it last came under the incident, and when it was let out; null: it was not.
MEMBERS = f"""
SELECT {ALERT}, {time_sql("t.joined_at")} AS joined_at, {time_sql("t.left_at")} AS left_at
FROM (
    SELECT s.alert_id, max(s.detected_at) FILTER (WHERE s.what = 'suppressed') AS joined_at,
        CASE WHEN (array_agg(s.what ORDER BY s.id DESC))[1] = 'released' THEN max(s.detected_at) END AS left_at
    FROM transition AS s WHERE s.parent_id = %(id)s AND s.alert_id > %(after)s GROUP BY s.alert_id
) AS t JOIN alert AS a ON a.id = t.alert_id LEFT JOIN device AS d ON d.id = a.device_id
ORDER BY a.id LIMIT %(limit)s
"""

# The worst first, then the most.
GROUPS = f"""
SELECT a.rule, d.district, count(*)::int AS alerts, (count(*) FILTER (WHERE NOT a.acked))::int AS unacked,
    max(a.severity) AS severity, {time_sql("min(a.raised_at)")} AS oldest, {time_sql("max(a.raised_at)")} AS newest
FROM alert AS a LEFT JOIN device AS d ON d.id = a.device_id
WHERE a.open AND NOT (a.held OR a.historical)
GROUP BY a.rule, d.district ORDER BY severity DESC, alerts DESC, a.rule, d.district
"""


class Query(NamedTuple):
    """Which incidents. since: began then or later; after: (raised_at, id) of the last one of the page before; place:
    of one of those under it."""

    state: State
    historical: Historical
    since: datetime | None
    limit: int
    after: tuple[datetime, int] | None
    kind: str | None = None
    place: Place = Place()
    min_severity: int = 0


async def list_incidents(conn: psycopg.AsyncConnection[Any], query: Query) -> list[Row]:
    """Newest first."""
    raised_at, number = query.after or (None, None)
    values = {
        "historical": {"false": False, "true": True, "any": None}[query.historical], "since": query.since,
        "limit": query.limit, "after_raised_at": raised_at, "after_id": number, "kind": query.kind,
        "min_severity": query.min_severity, **query.place.values(),
    }  # fmt: skip
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(LIST.format(state=STATES[query.state]).encode(), values)
        return await cursor.fetchall()


async def one_incident(conn: psycopg.AsyncConnection[Any], alert_id: int) -> Row | None:
    """An incident with how many devices it ever had, has standing, and has let out. None where it is no incident."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        found = await (await cursor.execute(ONE.encode(), {"id": alert_id})).fetchone()
        if found is None:
            return None
        numbers = await (await cursor.execute(NUMBERS, {"id": alert_id})).fetchone()
        assert numbers is not None
        return found | {"devices": numbers}


async def members(conn: psycopg.AsyncConnection[Any], alert_id: int, after: int, limit: int) -> list[Row]:
    """All alerts that ever were under an incident, by id, after this one."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(MEMBERS.encode(), {"id": alert_id, "after": after, "limit": limit})
        return await cursor.fetchall()


async def alert_groups(conn: psycopg.AsyncConnection[Any]) -> list[Row]:
    """Open alerts that are shown, by rule and district."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(GROUPS.encode())).fetchall()
