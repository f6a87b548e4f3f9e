"""Windows in which work goes on: alerts of the devices they cover are stored and withheld, and come back at the end.

Whether a device is covered is asked when an alert is raised (storage/alert_hold.py), so a window holds from its first
second; the worker brings in what stood before, and releases what still stands afterwards. Nobody keeps a note that a
window has begun or ended: what is withheld and what should be are compared, so killed anywhere it comes out right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.rows import dict_row

from alerts.life import SERVER
from storage import event_log
from storage.as_json import time_sql
from storage.event_log import Deed

What = Literal["maintenance", "out_of_service"]
State = Literal["standing", "to come", "over", "all"]

# A window w at %(at)s; a device by its row d, or by its id alone. The incident of a group (alerts/incident.py) is
# covered by the window of the group.
STANDS = "w.ended_at IS NULL AND w.from_at <= %(at)s AND (w.until IS NULL OR w.until > %(at)s)"
NOW_STANDS = STANDS.replace("%(at)s", "now()")
COVERS = """
(w.scope = 'device' AND w.name = {device_id} OR w.scope = 'district' AND w.name = d.district
 OR d.attributes ->> w.scope = w.name OR '$' || w.scope || '/' || w.name = {device_id})
"""
# The one it is in goes on as long as it can; else the oldest.
APART = f"""
SELECT a.id, a.window_id, c.id
FROM alert AS a LEFT JOIN device AS d ON d.id = a.device_id LEFT JOIN LATERAL (
    SELECT w.id FROM service_window AS w WHERE {STANDS} AND {COVERS.format(device_id="a.device_id")}
    ORDER BY w.id = a.window_id DESC NULLS LAST, w.id LIMIT 1
) AS c ON true
WHERE a.open AND a.window_id IS DISTINCT FROM c.id ORDER BY a.id
"""
ANY = f"""
SELECT EXISTS (SELECT FROM service_window AS w WHERE {STANDS})
    OR EXISTS (SELECT FROM alert WHERE window_id IS NOT NULL AND open)
"""
WITHHOLD = """
UPDATE alert SET window_id = %(window)s, version = version + 1 WHERE id = ANY (%(ids)s)
"""
RELEASE = """
UPDATE alert SET window_id = NULL, version = version + 1 WHERE id = ANY (%(ids)s)
"""
# What came and went while work went on was the work: nobody need look at 214 lamps that were switched off.
CLOSE = """
UPDATE alert AS a SET acked = true, acked_at = %(at)s, acked_by = %(who)s, comment = %(why)s
FROM service_window AS w
WHERE a.id = ANY (%(ids)s) AND w.id = %(window)s AND a.detected_at >= w.from_at
  AND NOT (a.active OR a.acked OR a.historical)
RETURNING a.id
"""
CAME_AND_WENT = "came and went while work went on"
REASONS = "SELECT who, reason, coalesce(ended_by, %s), coalesce(ended_why, %s) FROM service_window WHERE id = %s"
TIME_IS_OVER = "the window is over"

ITEM = f"""
w.id, w.what, w.scope, w.name, {time_sql("w.from_at")} AS "from", {time_sql("w.until")} AS "to", w.reason, w.who,
{time_sql("w.created_at")} AS created_at, {time_sql("w.ended_at")} AS ended_at, w.ended_by, w.ended_why,
CASE WHEN w.ended_at IS NOT NULL OR w.until <= %(at)s THEN 'over' WHEN w.from_at <= %(at)s THEN 'standing'
     ELSE 'to come' END AS state,
(SELECT count(*) FROM alert AS a WHERE a.window_id = w.id AND a.open)::int AS withheld
"""
STATES: dict[State, str] = {
    "standing": STANDS,
    "to come": "w.ended_at IS NULL AND w.from_at > %(at)s",
    "over": "(w.ended_at IS NOT NULL OR w.until <= %(at)s)",
    "all": "true",
}
LIST = f"""
SELECT {ITEM} FROM service_window AS w WHERE {{state}} AND (%(before)s::bigint IS NULL OR w.id < %(before)s)
ORDER BY w.id DESC LIMIT %(limit)s
"""
ONE = f"SELECT {ITEM} FROM service_window AS w WHERE w.id = %(id)s"
CREATE = """
INSERT INTO service_window (what, scope, name, from_at, until, reason, who, created_at)
VALUES (%(what)s, %(scope)s, %(name)s, %(from_at)s, %(until)s, %(reason)s, %(who)s, %(at)s) RETURNING id
"""
END = """
UPDATE service_window SET ended_at = %(at)s, ended_by = %(who)s, ended_why = %(why)s
WHERE id = %(id)s AND ended_at IS NULL AND (until IS NULL OR until > %(at)s) RETURNING id
"""


class Window(NamedTuple):
    """What is asked for. scope: device, district or a grouping of a kind; until None: until somebody ends it."""

    what: What
    scope: str
    name: str
    from_at: datetime
    until: datetime | None
    reason: str
    who: str


async def apply_windows(conn: psycopg.AsyncConnection[Any], at: datetime) -> list[int]:
    """Withhold what windows cover and release what they no longer do; the events of what was released.

    In the caller's transaction, which holds the log. Doing it twice does nothing more.
    """
    begun: defaultdict[int, list[int]] = defaultdict(list)
    over: defaultdict[int, list[int]] = defaultdict(list)
    for alert_id, window, covered_by in await (await conn.execute(APART.encode(), {"at": at})).fetchall():
        (over[window] if covered_by is None else begun[covered_by]).append(alert_id)
    for window, ids in begun.items():
        await withhold(conn, ids, window, at)
    released: list[int] = []
    for window, ids in over.items():
        released += await _release(conn, ids, window, at)
    return released


async def withhold(conn: psycopg.AsyncConnection[Any], ids: Iterable[int], window: int, at: datetime) -> None:
    """Suppress alerts for a window."""
    who, why, *_ = await _reasons(conn, window)
    values = {"ids": list(ids), "window": window}
    await conn.execute(WITHHOLD, values)
    await event_log.tell(conn, values["ids"], Deed("suppressed", who, at, why))  # type: ignore[arg-type]


async def _release(conn: psycopg.AsyncConnection[Any], ids: list[int], window: int, at: datetime) -> list[int]:
    *_, who, why = await _reasons(conn, window)
    await conn.execute(RELEASE, {"ids": ids})
    released = await event_log.tell(conn, ids, Deed("released", who, at, why))
    values = {"ids": ids, "window": window, "at": at, "who": SERVER, "why": CAME_AND_WENT}
    closed = [number for (number,) in await (await conn.execute(CLOSE, values)).fetchall()]
    await event_log.tell(conn, closed, Deed("acked", SERVER, at, CAME_AND_WENT))
    return released


async def _reasons(conn: psycopg.AsyncConnection[Any], window: int) -> tuple[str, str, str, str]:
    """Who made a window and why, who ended it and why."""
    row = await (await conn.execute(REASONS, (SERVER, TIME_IS_OVER, window))).fetchone()
    assert row is not None
    return row[0], row[1], row[2], row[3]


async def any_windows(conn: psycopg.AsyncConnection[Any], at: datetime) -> bool:
    """Whether there is anything to apply: asked without the log's lock."""
    if not (row := await (await conn.execute(ANY.encode(), {"at": at})).fetchone()) or not row[0]:
        return False
    return await (await conn.execute(APART.encode() + b" LIMIT 1", {"at": at})).fetchone() is not None


async def create(conn: psycopg.AsyncConnection[Any], window: Window, at: datetime) -> int:
    """Write a window down; its id."""
    row = await (await conn.execute(CREATE, window._asdict() | {"at": at})).fetchone()
    assert row is not None
    return int(row[0])


async def end(conn: psycopg.AsyncConnection[Any], window: int, who: str, why: str | None, at: datetime) -> bool:
    """End a window before its time. False where it is over already, or unknown."""
    values = {"id": window, "who": who, "why": why, "at": at}
    return await (await conn.execute(END, values)).fetchone() is not None


async def one(conn: psycopg.AsyncConnection[Any], window: int, at: datetime) -> dict[str, Any] | None:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(ONE.encode(), {"id": window, "at": at})
        return await cursor.fetchone()


async def windows(
    conn: psycopg.AsyncConnection[Any], state: State, before: int | None, limit: int, at: datetime
) -> list[dict[str, Any]]:
    """Windows in a state, newest first; before: only of smaller id."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        text = LIST.format(state=STATES[state])
        await cursor.execute(text.encode(), {"before": before, "limit": limit, "at": at})
        return await cursor.fetchall()
