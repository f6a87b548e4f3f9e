"""Messages to people: what there is to say about alerts, one row for each person and channel, what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from alerts.notice_route import Kind, Recipient
from devices.kind import Kind as DeviceKind
from devices.quality import Quality
from storage.as_json import time_sql
from storage.kind_tables import reading_table

State = Literal["waiting", "sent", "dead", "failed"]

# value: of the newest trusted reading, where it is newer than the last step of the alert and there is one.
FACTS = f"""
SELECT a.id AS alert_id, a.rule, a.kind, a.metric, a.device_id, coalesce(d.name, a.device_id) AS name,
    d.id IS NOT NULL AS registered, d.district, coalesce(d.attributes, '{{}}') AS attributes,
    (SELECT count(DISTINCT m.device_id)::int FROM alert AS m
     WHERE m.parent_id = a.id AND a.kind IN (m.kind, 'installation')) AS members,
    a.severity, a.peak_severity, a.siaga,
    (SELECT min(t.siaga) FROM transition AS t WHERE t.alert_id = a.id) AS worst_siaga, a.active,
    CASE WHEN a.acked THEN a.acked_by END AS acked_by, a.assignee, a.raised_at, a.cleared_at,
    CASE WHEN l.ts > s.at THEN l.value ELSE a.value END AS value, greatest(s.at, l.ts) AS value_at
FROM alert AS a LEFT JOIN device AS d ON d.id = a.device_id
CROSS JOIN LATERAL (SELECT coalesce(max(t.event_at), a.raised_at) AS at FROM transition AS t
                    WHERE t.alert_id = a.id AND t.who IS NULL) AS s
LEFT JOIN LATERAL (SELECT l.ts, (l."values" ->> a.metric)::float8 AS value FROM latest AS l
                   WHERE l.device_id = a.device_id AND a.active AND l.qc <= {int(Quality.NOT_EVALUATED)}
                   AND jsonb_typeof(l."values" -> a.metric) = 'number') AS l ON true
WHERE a.id = ANY (%s)
ORDER BY CASE WHEN a.active THEN a.severity ELSE a.peak_severity END DESC, a.raised_at, a.id
"""
# The trusted value nearest to an hour before; not from half an hour ago, where noise would look like a trend.
EARLIER = """
SELECT ts, {metric} FROM {reading}
WHERE device_id = %(device_id)s AND ts >= %(at)s - interval '90 minutes' AND ts <= %(at)s - interval '30 minutes'
  AND qc <= %(worst)s AND {metric} IS NOT NULL
ORDER BY abs(extract(epoch FROM ts - (%(at)s - interval '1 hour'))) LIMIT 1
"""
ADD = """
INSERT INTO delivery (made_at, who, channel, language, route, group_key, step, what, severity, title, body, note)
VALUES (%(made_at)s, %(who)s, %(channel)s, %(language)s, %(route)s, %(group_key)s, %(step)s, %(what)s, %(severity)s,
        %(title)s, %(body)s, %(note)s)
RETURNING id
"""
LINK = "INSERT INTO delivery_alert (alert_id, delivery_id) SELECT id, %s FROM unnest(%s::bigint[]) AS t(id)"
LAST_TOLD = "SELECT max(made_at) FROM delivery WHERE route = %s AND group_key = %s"
# Who has got a message about these alerts since they were raised, or may still get one.
TOLD = """
SELECT x.alert_id, d.who, d.channel, d.language
FROM page AS p JOIN delivery_alert AS x USING (alert_id) JOIN delivery AS d ON d.id = x.delivery_id
WHERE p.route = %(route)s AND p.alert_id = ANY (%(ids)s) AND d.route = p.route AND d.made_at >= p.opened_at
  AND d.what <> 'over' AND NOT d.gave_up
GROUP BY x.alert_id, d.who, d.channel, d.language ORDER BY min(d.id), x.alert_id
"""
TO_SEND = """
SELECT id, who, channel, what, severity, title, body FROM delivery WHERE id = %s AND sent_at IS NULL AND NOT gave_up
"""
SENT = "UPDATE delivery SET tries = tries + 1, sent_at = now(), next_try_at = NULL, error = NULL WHERE id = %s"
FAILED = """
UPDATE delivery SET tries = tries + 1, error = %(error)s, gave_up = %(next_try_at)s::timestamptz IS NULL,
    next_try_at = %(next_try_at)s
WHERE id = %(id)s AND sent_at IS NULL
"""
RETRY = "UPDATE delivery SET gave_up = false WHERE id = %s AND gave_up RETURNING id"
DEAD = "SELECT count(*) FROM delivery WHERE gave_up AND made_at > %s"

# failed: it will be tried again.
STATE = """
CASE WHEN d.sent_at IS NOT NULL THEN 'sent' WHEN d.gave_up THEN 'dead' WHEN d.tries > 0 THEN 'failed' ELSE 'waiting' END
"""
ITEM = f"""
d.id, {time_sql("d.made_at")} AS made_at, d.who, d.channel, d.language, d.route, d.step, d.what, d.severity, d.title,
d.body, d.note, {STATE} AS state, d.tries, {time_sql("d.next_try_at")} AS next_try_at,
{time_sql("d.sent_at")} AS sent_at, d.error,
ARRAY(SELECT x.alert_id FROM delivery_alert AS x WHERE x.delivery_id = d.id ORDER BY 1) AS alerts
"""
STATES: Mapping[State, str] = {
    "waiting": "d.sent_at IS NULL AND NOT d.gave_up AND d.tries = 0",
    "sent": "d.sent_at IS NOT NULL",
    "failed": "d.sent_at IS NULL AND NOT d.gave_up AND d.tries > 0",
    "dead": "d.gave_up",
}
LIST = f"""
SELECT {ITEM} FROM delivery AS d WHERE {{state}}
AND (%(alert)s::bigint IS NULL OR EXISTS (SELECT FROM delivery_alert AS x WHERE x.delivery_id = d.id
                                          AND x.alert_id = %(alert)s))
AND (%(person)s::text IS NULL OR d.who = %(person)s) AND (%(since)s::timestamptz IS NULL OR d.made_at >= %(since)s)
AND (%(before)s::bigint IS NULL OR d.id < %(before)s)
ORDER BY d.id DESC LIMIT %(limit)s
"""
ONE = f"SELECT {ITEM} FROM delivery AS d WHERE d.id = %s"
OF_ALERT = f"""
SELECT {ITEM} FROM delivery AS d JOIN delivery_alert AS x ON x.delivery_id = d.id WHERE x.alert_id = %s ORDER BY d.id
"""


class Facts(NamedTuple):
    """An alert as it is told, with its device. name is what people call it; value_at: when the value was so.

    members: how many devices of its kind an incident stands for.
    """

    alert_id: int
    rule: str
    kind: str
    metric: str | None
    device_id: str
    name: str
    registered: bool
    district: str | None
    attributes: Mapping[str, Any]
    members: int
    severity: int
    peak_severity: int
    siaga: int | None
    worst_siaga: int | None
    active: bool
    acked_by: str | None
    assignee: str | None
    raised_at: datetime
    cleared_at: datetime | None
    value: float | None
    value_at: datetime


class Message(NamedTuple):
    """What all copies of a message have in common."""

    made_at: datetime
    route: str
    group_key: str
    step: int
    what: Kind
    severity: int


class ToSend(NamedTuple):
    id: int
    who: str
    channel: str
    what: Kind
    severity: int
    title: str
    body: str


class Query(NamedTuple):
    """Which messages; None is any."""

    state: State | None
    limit: int
    before: int | None = None
    alert: int | None = None
    person: str | None = None
    since: datetime | None = None


async def facts(conn: psycopg.AsyncConnection[Any], ids: Sequence[int]) -> list[Facts]:
    """These alerts, worst first."""
    async with conn.cursor(row_factory=class_row(Facts)) as cursor:
        await cursor.execute(FACTS.encode(), (list(ids),))
        return await cursor.fetchall()


async def change_per_hour(conn: psycopg.AsyncConnection[Any], kind: DeviceKind, facts: Facts) -> float | None:
    """How fast the value rises, from an hour before on; None where that is not known."""
    if facts.metric not in kind.metrics or facts.value is None:
        return None
    query = sql.SQL(EARLIER).format(metric=sql.Identifier(facts.metric), reading=sql.Identifier(reading_table(kind)))
    values = {"device_id": facts.device_id, "at": facts.value_at, "worst": int(Quality.NOT_EVALUATED)}
    row = await (await conn.execute(query, values)).fetchone()
    return None if row is None else (facts.value - row[1]) / ((facts.value_at - row[0]).total_seconds() / 3600)


async def add(
    conn: psycopg.AsyncConnection[Any], message: Message, to: Recipient, title: str, body: str, alerts: Iterable[int]
) -> int:
    """Write one copy of a message down; its id."""
    values = message._asdict() | to._asdict() | {"title": title, "body": body}
    row = await (await conn.execute(ADD, values)).fetchone()
    assert row is not None
    await conn.execute(LINK, (row[0], sorted(alerts)))
    return int(row[0])


async def last_told(conn: psycopg.AsyncConnection[Any], route: str, group_key: str) -> datetime | None:
    """When there was a message of this group before."""
    row = await (await conn.execute(LAST_TOLD, (route, group_key))).fetchone()
    return row[0] if row else None


async def told(conn: psycopg.AsyncConnection[Any], route: str, ids: Sequence[int]) -> dict[Recipient, list[int]]:
    """Everybody who was told of these alerts on this route, and of which; what was given up does not count."""
    found: dict[Recipient, list[int]] = {}
    for alert_id, *to in await (await conn.execute(TOLD, {"route": route, "ids": list(ids)})).fetchall():
        found.setdefault(Recipient(*to), []).append(alert_id)
    return found


async def to_send(conn: psycopg.AsyncConnection[Any], delivery_id: int) -> ToSend | None:
    """A message that is neither sent nor given up."""
    async with conn.cursor(row_factory=class_row(ToSend)) as cursor:
        await cursor.execute(TO_SEND, (delivery_id,))
        return await cursor.fetchone()


async def sent(conn: psycopg.AsyncConnection[Any], delivery_id: int) -> None:
    await conn.execute(SENT, (delivery_id,))


async def failed(
    conn: psycopg.AsyncConnection[Any], delivery_id: int, error: str, next_try_at: datetime | None
) -> None:
    """It was not taken. Without another try it is a dead letter."""
    await conn.execute(FAILED, {"id": delivery_id, "error": error, "next_try_at": next_try_at})


async def retry(conn: psycopg.AsyncConnection[Any], delivery_id: int) -> bool:
    """A dead letter is to be sent after all; the caller defers its job. False where it is none."""
    return await (await conn.execute(RETRY, (delivery_id,))).fetchone() is not None


async def dead(conn: psycopg.AsyncConnection[Any], since: datetime) -> int:
    """How many dead letters there are of messages made since then."""
    row = await (await conn.execute(DEAD, (since,))).fetchone()
    assert row is not None
    return int(row[0])


async def listed(conn: psycopg.AsyncConnection[Any], query: Query) -> list[dict[str, Any]]:
    """Messages, newest first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        text = LIST.format(state="true" if query.state is None else STATES[query.state])
        await cursor.execute(text.encode(), query._asdict())
        return await cursor.fetchall()


async def one(conn: psycopg.AsyncConnection[Any], delivery_id: int) -> dict[str, Any] | None:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(ONE.encode(), (delivery_id,))
        return await cursor.fetchone()


async def of_alert(conn: psycopg.AsyncConnection[Any], alert_id: int) -> list[dict[str, Any]]:
    """Every message about an alert, in order."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(OF_ALERT.encode(), (alert_id,))
        return await cursor.fetchall()
