"""What incidents are made of, as the database has it: what has happened, groups of devices, their alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from alerts.incident import Group, group_of
from alerts.incident_plan import Kept, Step

Conn = psycopg.AsyncConnection[Any]

POSITION = "SELECT event_id, rules_version FROM grouping"
KEEP_POSITION = """
INSERT INTO grouping (event_id, rules_version) VALUES (%(event_id)s, %(rules_version)s)
ON CONFLICT (one) DO UPDATE SET event_id = excluded.event_id, rules_version = excluded.rules_version
"""
NEWEST = "SELECT coalesce(max(id), 0) FROM transition"
# So many events further on, or the newest.
UP_TO = "SELECT max(id) FROM (SELECT id FROM transition WHERE id > %s ORDER BY id LIMIT %s) AS t"
# What may begin, end or change an incident: alerts of devices that come, go, are shown again, or turn out to be wrong.
EVENTS = """
SELECT a.rule, a.device_id, a.historical, min(CASE WHEN a.superseded THEN a.raised_at ELSE t.event_at END)
FROM transition AS t JOIN alert AS a ON a.id = t.alert_id
WHERE t.id > %(after)s AND t.id <= %(until)s AND a.rule = ANY (%(rules)s)
  AND (t.what IN ('raised', 'went_live', 'cleared', 'released') OR a.superseded)
GROUP BY a.rule, a.device_id, a.historical
"""
STANDING_ALERTS = """
SELECT rule, device_id, historical, %(now)s::timestamptz FROM alert WHERE open AND active AND rule = ANY (%(rules)s)
"""
# Incidents of which few still stand: the clock may end them. An incident began with enough of its members, so while
# half of all it ever had stand, half of those that are asked for do. One that a cabinet made began with however few:
# once that is well, the clock may end it.
DWINDLING = """
SELECT i.rule, i.device_id FROM alert AS i JOIN alert AS m ON m.parent_id = i.id
WHERE i.device_id LIKE '$%/%' AND i.open AND i.active AND NOT i.historical
GROUP BY i.id HAVING 2 * count(DISTINCT m.device_id) FILTER (WHERE m.active) < count(DISTINCT m.device_id)
    OR bool_or(m.kind <> i.kind) AND NOT bool_or(m.active AND m.kind <> i.kind)
"""
# An alert that came back began with its last return.
BEGAN = """
(SELECT t.event_at FROM transition AS t WHERE t.alert_id = i.id AND t.what = 'raised' ORDER BY t.id DESC LIMIT 1)
"""
STANDING = f"""
SELECT i.rule, i.device_id, i.kind, i.id, i.historical, {BEGAN}
FROM alert AS i WHERE i.device_id LIKE '$%/%' AND i.open AND i.active ORDER BY i.id
"""
ATTRIBUTES = "SELECT id, kind, attributes FROM device WHERE id = ANY (%s)"
SHARING = """
SELECT d.id, d.kind, d.attributes FROM device AS d
WHERE d.status = 'in_service' AND d.attributes @> ANY (%s::jsonb[])
  AND EXISTS (SELECT FROM latest AS l WHERE l.device_id = d.id)
"""
KEPT = f"""
SELECT i.id, i.device_id, i.historical, i.cleared_at, CASE WHEN i.historical THEN i.raised_at ELSE {BEGAN} END,
    ARRAY(SELECT DISTINCT m.alert_id FROM transition AS m WHERE m.parent_id = i.id AND m.what = 'suppressed')
FROM alert AS i
WHERE i.rule = %(rule)s AND i.device_id = ANY (%(subjects)s)
  AND (i.active OR i.historical AND i.cleared_at >= %(since)s) ORDER BY i.id
"""
# In a window of work an alert is somebody's doing, and no part of an incident; one that is a member stays it.
STEPS = """
WITH chosen AS (
    SELECT id FROM alert
    WHERE device_id = ANY (%(devices)s) AND rule = ANY (%(of)s) AND parent_id IS NULL AND window_id IS NULL
      AND (cleared_at IS NULL OR cleared_at >= CASE WHEN historical THEN %(late)s ELSE %(live)s END::timestamptz)
    UNION
    SELECT unnest(%(members)s::bigint[])
)
SELECT a.id, a.device_id, a.rule, a.historical, a.parent_id, t.what, t.event_at, a.superseded AND a.historical
FROM chosen JOIN alert AS a USING (id) JOIN transition AS t ON t.alert_id = a.id
WHERE t.what IN ('raised', 'went_live', 'cleared') ORDER BY t.id
"""
# Devices that are silent because nothing arrives: those that were found so since the stream fell silent itself.
UNHEARD = """
SELECT s.id, array_agg(a.id ORDER BY a.id) FROM alert AS s
CROSS JOIN LATERAL (
    SELECT max(t.event_at) AS at FROM transition AS t WHERE t.alert_id = s.id AND t.what = 'raised') AS r
JOIN alert AS a ON a.open AND a.active AND NOT a.historical AND a.parent_id IS NULL AND a.window_id IS NULL
    AND a.rule = ANY (%(rules)s) AND a.raised_at >= r.at - make_interval(secs => coalesce(s.value, 0))
WHERE s.rule = %(rule)s AND s.device_id = %(subject)s AND s.open AND s.active
GROUP BY s.id
"""


class Position(NamedTuple):
    """How far the event log was followed, under which version of the rules."""

    event_id: int
    rules_version: int


class Touched(NamedTuple):
    """An alert of a rule on a device has moved; since: the earliest event time of that."""

    rule: str
    device: str
    historical: bool
    since: datetime


class Known(NamedTuple):
    """A device as far as groups go."""

    kind: str
    attributes: dict[str, Any]

    def groups(self, by: Iterable[str]) -> list[Group]:
        found = ((each, self.attributes.get(each)) for each in by)
        return [Group(each, value) for each, value in found if isinstance(value, str) and value]


class Standing(NamedTuple):
    """An incident of a group that stands, and since when."""

    rule: str
    group: Group
    kind: str
    id: int
    historical: bool
    begin: datetime


async def position(conn: Conn) -> Position | None:
    row = await (await conn.execute(POSITION)).fetchone()
    return Position(*row) if row else None


async def keep_position(conn: Conn, at: Position) -> None:
    await conn.execute(KEEP_POSITION, at._asdict())


async def newest_event(conn: Conn) -> int:
    row = await (await conn.execute(NEWEST)).fetchone()
    assert row is not None
    return int(row[0])


async def up_to(conn: Conn, after: int, at_most: int) -> int:
    """The number of the event that is at_most further on; of the newest where fewer are left."""
    row = await (await conn.execute(UP_TO, (after, at_most))).fetchone()
    return after if row is None or row[0] is None else int(row[0])


async def events(conn: Conn, after: int, until: int, rules: Collection[str]) -> list[Touched]:
    """What has moved from one event to another, of these rules."""
    cursor = await conn.execute(EVENTS, {"after": after, "until": until, "rules": list(rules)})
    return [Touched(*row) for row in await cursor.fetchall()]


async def standing_alerts(conn: Conn, rules: Collection[str], now: datetime) -> list[Touched]:
    """All that stands of these rules, as if it had moved now."""
    cursor = await conn.execute(STANDING_ALERTS, {"rules": list(rules), "now": now})
    return [Touched(*row) for row in await cursor.fetchall()]


async def dwindling(conn: Conn) -> list[tuple[str, Group]]:
    """Rule and group of live incidents of whose members fewer than half stand."""
    rows = await (await conn.execute(DWINDLING)).fetchall()
    return [(rule, group) for rule, subject in rows if (group := group_of(subject))]


async def standing(conn: Conn) -> list[Standing]:
    """Incidents of groups that stand."""
    rows = await (await conn.execute(STANDING.encode())).fetchall()
    return [Standing(rule, group, *rest) for rule, subject, *rest in rows if (group := group_of(subject))]


async def known(conn: Conn, devices: Collection[str]) -> dict[str, Known]:
    """Devices by id."""
    return await _devices(conn, ATTRIBUTES, list(devices))


async def sharing(conn: Conn, groups: Collection[Group]) -> dict[str, Known]:
    """Devices of any of these groups that were ever heard, by id."""
    return await _devices(conn, SHARING, [Jsonb({group.by: group.name}) for group in groups]) if groups else {}


async def kept(conn: Conn, rule: str, groups: Collection[Group], since: datetime) -> list[Kept]:
    """Incidents of these groups that stand, and historical ones that ended since then."""
    values = {"rule": rule, "subjects": [group.subject for group in groups], "since": since}
    found = []
    rows = await (await conn.execute(KEPT.encode(), values)).fetchall()
    for number, subject, historical, cleared_at, begin, members in rows:
        group = group_of(subject)
        assert group is not None
        found.append(Kept(number, group, begin, cleared_at, historical, frozenset(members)))
    return found


async def steps(
    conn: Conn, devices: Collection[str], of: Sequence[str], live: datetime, late: datetime, incidents: Iterable[Kept]
) -> list[Step]:
    """The alerts of these rules on these devices that nobody stands for, and of these incidents all that were ever
    under them, step by step. live, late: those that had cleared before are left out."""
    members = sorted({alert for incident in incidents for alert in incident.members})
    values = {"devices": list(devices), "of": list(of), "live": live, "late": late, "members": members}
    return [Step(*row) for row in await (await conn.execute(STEPS, values)).fetchall()]


async def unheard(conn: Conn, rule: str, subject: str, stale: Collection[str]) -> dict[int, list[int]]:
    """By the alert that says that nothing arrives, the alerts of silence that are due to that."""
    values = {"rule": rule, "subject": subject, "rules": list(stale)}
    return dict(await (await conn.execute(UNHEARD, values)).fetchall())


def by_group(devices: dict[str, Known], by: Sequence[str]) -> dict[Group, frozenset[str]]:
    """The devices of every group that any of these belongs to."""
    found: defaultdict[Group, set[str]] = defaultdict(set)
    for device_id, device in devices.items():
        for group in device.groups(by):
            found[group].add(device_id)
    return {group: frozenset(ids) for group, ids in found.items()}


async def _devices(conn: Conn, query: str, values: list[Any]) -> dict[str, Known]:
    rows = await (await conn.execute(query.encode(), (values,))).fetchall()
    return {device_id: Known(kind, attributes) for device_id, kind, attributes in rows}
