"""Notices: what there is to say about a transition, and what became of it on each channel."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from devices.kind import Kind
from devices.quality import Quality
from storage.kind_tables import reading_table

FACTS = """
SELECT t.what, t.to_severity, t.siaga, t.event_at, t.value, a.id AS alert_id, a.rule, a.kind, a.metric, a.device_id,
    coalesce(d.name, a.device_id) AS name
FROM transition t JOIN alert a ON a.id = t.alert_id LEFT JOIN device d ON d.id = a.device_id
WHERE t.id = %s
"""
SETTLED = "SELECT channel FROM notice WHERE transition_id = %s AND (sent_at IS NOT NULL OR gave_up)"
SENT = """
INSERT INTO notice AS n (transition_id, channel, tries, sent_at) VALUES (%s, %s, 1, now())
ON CONFLICT (transition_id, channel) DO UPDATE SET tries = n.tries + 1, sent_at = now(), error = NULL
"""
FAILED = """
INSERT INTO notice AS n (transition_id, channel, tries, error, gave_up) VALUES (%s, %s, 1, %s, %s)
ON CONFLICT (transition_id, channel) DO UPDATE SET
    tries = n.tries + 1, error = excluded.error, gave_up = excluded.gave_up
"""
# The trusted value nearest to an hour before; not from half an hour ago, where noise would look like a trend.
EARLIER = """
SELECT ts, {metric} FROM {reading}
WHERE device_id = %(device_id)s AND ts >= %(at)s - interval '90 minutes' AND ts <= %(at)s - interval '30 minutes'
  AND qc <= %(worst)s AND {metric} IS NOT NULL
ORDER BY abs(extract(epoch FROM ts - (%(at)s - interval '1 hour'))) LIMIT 1
"""


class Facts(NamedTuple):
    """One transition with the alert and the device it is about. name is what people call the device."""

    what: str
    to_severity: int | None
    siaga: int | None
    event_at: datetime
    value: float | None
    alert_id: int
    rule: str
    kind: str
    metric: str | None
    device_id: str
    name: str


async def facts(conn: psycopg.AsyncConnection[Any], transition_id: int) -> Facts | None:
    async with conn.cursor(row_factory=class_row(Facts)) as cursor:
        await cursor.execute(FACTS, (transition_id,))
        return await cursor.fetchone()


async def change_per_hour(conn: psycopg.AsyncConnection[Any], kind: Kind, facts: Facts) -> float | None:
    """How fast the value rises, from an hour before the transition on; None where that is not known."""
    if facts.metric not in kind.metrics or facts.value is None:
        return None
    query = sql.SQL(EARLIER).format(metric=sql.Identifier(facts.metric), reading=sql.Identifier(reading_table(kind)))
    values = {"device_id": facts.device_id, "at": facts.event_at, "worst": int(Quality.NOT_EVALUATED)}
    row = await (await conn.execute(query, values)).fetchone()
    return None if row is None else (facts.value - row[1]) / ((facts.event_at - row[0]).total_seconds() / 3600)


async def settled(conn: psycopg.AsyncConnection[Any], transition_id: int) -> set[str]:
    """Channels on which nothing is left to do for this transition."""
    return {channel async for (channel,) in await conn.execute(SETTLED, (transition_id,))}


async def sent(conn: psycopg.AsyncConnection[Any], transition_id: int, channel: str) -> None:
    await conn.execute(SENT, (transition_id, channel))


async def failed(
    conn: psycopg.AsyncConnection[Any], transition_id: int, channel: str, error: str, gave_up: bool
) -> None:
    await conn.execute(FAILED, (transition_id, channel, error, gave_up))
