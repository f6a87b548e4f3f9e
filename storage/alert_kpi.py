"""What the figures of alerts/kpi.py are made of, read as columns: a month of 100,000 alerts is few megabytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.rows import DictRow, class_row, dict_row

from alerts.kpi import CHATTERS_FROM, Times
from storage.as_json import time_sql

# What people were shown as something new, when they were shown it.
NEW = "t.what IN ('raised', 'went_live') AND NOT t.quiet AND t.detected_at >= %(since)s AND t.detected_at < %(until)s"
TIMES = f"SELECT extract(epoch FROM t.detected_at)::float8 FROM transition AS t WHERE {NEW} ORDER BY 1"
BAD_ACTORS = f"""
SELECT n.rule, n.device_id, coalesce(d.name, n.device_id) AS device_name, n.alerts FROM (
    SELECT a.rule, a.device_id, count(*) AS alerts FROM transition AS t JOIN alert AS a ON a.id = t.alert_id
    WHERE {NEW} GROUP BY a.rule, a.device_id ORDER BY alerts DESC, a.rule, a.device_id LIMIT %(most)s
) AS n LEFT JOIN device AS d ON d.id = n.device_id ORDER BY n.alerts DESC, n.rule, n.device_id
"""
# Going in and out is of the signal, so it counts when it was, not when we saw it. Most alerts come and go once, and are
# no candidates.
CROSSINGS = """
SELECT alert_id, at FROM (
    SELECT alert_id, extract(epoch FROM event_at)::float8 AS at, count(*) OVER (PARTITION BY alert_id) AS crossings
    FROM transition WHERE what IN ('raised', 'worsened', 'eased', 'cleared') AND NOT quiet
      AND detected_at >= %(since)s AND detected_at < %(until)s
) AS t WHERE crossings >= %(least)s
"""
NAMES = """
SELECT a.id, a.rule, a.device_id, coalesce(d.name, a.device_id) AS device_name
FROM alert AS a LEFT JOIN device AS d ON d.id = a.device_id WHERE a.id = ANY (%s) ORDER BY a.id
"""
# Active for a day and more at the end of the range; shelved and suppressed ones by how they are now.
STANDING = """
FROM alert AS a LEFT JOIN device AS d ON d.id = a.device_id
WHERE NOT (a.historical OR a.held) AND a.raised_at <= %(until)s - make_interval(secs => %(standing_s)s)
  AND (a.cleared_at IS NULL OR a.cleared_at > %(until)s)
"""
COUNT_STANDING = f"SELECT count(*) {STANDING}"
LONGEST = f"""
SELECT a.id, a.rule, a.device_id, coalesce(d.name, a.device_id) AS device_name, a.severity,
    {time_sql("a.raised_at")} AS raised_at {STANDING} ORDER BY a.raised_at, a.id LIMIT %(most)s
"""
# From when people were last shown it as new or worse until one of them acknowledged it. The server's own do not count.
TO_ACK = """
SELECT t.from_severity, extract(epoch FROM t.event_at - s.detected_at)::float8
FROM transition AS t CROSS JOIN LATERAL (
    SELECT b.detected_at FROM transition AS b
    WHERE b.alert_id = t.alert_id AND b.id < t.id AND b.what IN ('raised', 'worsened', 'went_live')
    ORDER BY b.id DESC LIMIT 1
) AS s
WHERE t.what = 'acked' AND NOT t.quiet AND t.who <> %(server)s
  AND t.detected_at >= %(since)s AND t.detected_at < %(until)s
"""
SHELVED_BY = """
SELECT who, count(*)::int AS shelved FROM transition
WHERE what = 'shelved' AND detected_at >= %(since)s AND detected_at < %(until)s GROUP BY who ORDER BY shelved DESC, who
"""
UNACKNOWLEDGED = "SELECT count(*) FROM alert WHERE open AND NOT (acked OR historical OR held)"


class BadActor(NamedTuple):
    """How many alerts a rule raised on a device."""

    rule: str
    device_id: str
    device_name: str
    alerts: int


class Named(NamedTuple):
    id: int
    rule: str
    device_id: str
    device_name: str


class Standing(NamedTuple):
    """raised_at as JSON text."""

    id: int
    rule: str
    device_id: str
    device_name: str
    severity: int
    raised_at: str


class Range(NamedTuple):
    """since <= t < until."""

    since: datetime
    until: datetime


Conn = psycopg.AsyncConnection[Any]


async def times(conn: Conn, of: Range) -> Times:
    """When people were shown new alerts, epoch seconds, ascending."""
    cursor = conn.cursor(binary=True)
    await cursor.execute(TIMES.encode(), of._asdict())
    return np.array([row[0] for row in await cursor.fetchall()], dtype=np.float64)


async def bad_actors(conn: Conn, of: Range, most: int) -> list[BadActor]:
    """Rules on devices that raised most."""
    async with conn.cursor(row_factory=class_row(BadActor)) as cursor:
        await cursor.execute(BAD_ACTORS.encode(), of._asdict() | {"most": most})
        return await cursor.fetchall()


async def crossings(conn: Conn, of: Range) -> tuple[npt.NDArray[np.int64], Times]:
    """Alert and event time of every change of level, of alerts that have changed often enough to chatter."""
    cursor = conn.cursor(binary=True)
    values = of._asdict() | {"least": CHATTERS_FROM}
    rows = await (await cursor.execute(CROSSINGS, values)).fetchall()
    alerts = np.array([row[0] for row in rows], dtype=np.int64)
    return alerts, np.array([row[1] for row in rows], dtype=np.float64)


async def named(conn: Conn, alerts: Sequence[int]) -> list[Named]:
    """What these alerts are about."""
    async with conn.cursor(row_factory=class_row(Named)) as cursor:
        await cursor.execute(NAMES, (list(alerts),))
        return await cursor.fetchall()


async def standing(conn: Conn, until: datetime, standing_s: float, most: int) -> tuple[int, list[Standing]]:
    """How many alerts had been active for so long, and those that had been longest."""
    values = {"until": until, "standing_s": standing_s, "most": most}
    counted = await (await conn.execute(COUNT_STANDING, values)).fetchone()
    assert counted is not None
    async with conn.cursor(row_factory=class_row(Standing)) as cursor:
        await cursor.execute(LONGEST.encode(), values)
        return counted[0], await cursor.fetchall()


async def to_ack(conn: Conn, of: Range, server: str) -> list[tuple[int, float]]:
    """Severity and seconds of every acknowledgement by a person."""
    cursor = conn.cursor(binary=True)
    return await (await cursor.execute(TO_ACK, of._asdict() | {"server": server})).fetchall()


async def shelved_by(conn: Conn, of: Range) -> list[DictRow]:
    """Who has shelved alerts, and how often; whoever did it most first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(SHELVED_BY, of._asdict())).fetchall()


async def unacknowledged(conn: Conn) -> int:
    """Open alerts that are shown and that nobody has acknowledged, now."""
    row = await (await conn.execute(UNACKNOWLEDGED)).fetchone()
    assert row is not None
    return int(row[0])
