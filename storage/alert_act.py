"""What people do to alerts, and alerts to each other: one transaction, an event each, and nobody overtakes anybody.

Locks are taken in the writer's order, the event log first and then the alerts: the other way round would deadlock with
a batch that worsens the same alert. The transaction is a few short statements for any number of alerts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Literal, NamedTuple

import psycopg

from alerts.life import BECOMES, Action, Order, Standing, refusal
from storage import event_log, shelf
from storage.event_log import Deed

Outcome = Literal["done", "refused", "changed", "unknown"]
Versions = frozenset[int] | None  # None: any

LOCK_ALERTS = """
SELECT id, version, open, acked, acked_by, shelved_until, shelved_by, assignee
FROM alert WHERE id = ANY (%s) ORDER BY id FOR UPDATE
"""
# The comment of an alert is the newest word about it; all of them are in its events.
CHANGE: dict[Action, str] = {
    "ack": "acked = true, acked_at = %(at)s, acked_by = %(who)s, comment = %(why)s, worsened = false",
    "unack": "acked = false, acked_at = NULL, acked_by = NULL",
    "comment": "comment = %(why)s",
    "assign": "assignee = %(assignee)s",
}
UPDATE = "UPDATE alert SET {}, version = version + 1 WHERE id = ANY (%(ids)s)"
# Not under itself, and what is suppressed by another alert already stays there. What is over is nothing to withhold,
# but may belong to the other all the same.
PUT_UNDER = """
UPDATE alert SET parent_id = %(parent_id)s, version = version + 1
WHERE id = ANY (%(ids)s) AND id <> %(parent_id)s AND parent_id IS NULL RETURNING id
"""
LET_OUT = """
UPDATE alert AS a SET parent_id = NULL, version = a.version + 1
FROM (SELECT id, parent_id FROM alert WHERE id = ANY (%(ids)s) AND parent_id IS NOT NULL FOR UPDATE) AS was
WHERE a.id = was.id RETURNING was.parent_id, a.id
"""


class Acted(NamedTuple):
    """What became of an order for one alert: its version now, and why nothing was done where nothing was."""

    id: int
    outcome: Outcome
    version: int | None = None
    problem: str | None = None


async def act(conn: psycopg.AsyncConnection[Any], wanted: Mapping[int, Versions], order: Order) -> list[Acted]:
    """Carry out an order for alerts that are still at the versions seen, each on its own; in the order asked."""
    async with conn.transaction():
        await conn.execute(event_log.LOCK)
        rows = await (await conn.execute(LOCK_ALERTS, (list(wanted),))).fetchall()
        told = {row[0]: _judge(row, wanted[row[0]], order) for row in rows}
        good = [each.id for each in told.values() if each.outcome == "done"]
        if good:
            await _change(conn, good, order)
            deed = Deed(BECOMES[order.action], order.who, order.at, order.why, order.until, order.assignee)
            await event_log.tell(conn, good, deed)
    return [told.get(number, Acted(number, "unknown", None, f"alert {number} is not known")) for number in wanted]


async def suppress(
    conn: psycopg.AsyncConnection[Any], ids: Sequence[int], parent_id: int, who: str, why: str, at: datetime
) -> list[int]:
    """Withhold alerts for which another one stands; those that now are. They come back by `release`."""
    async with conn.transaction():
        await conn.execute(event_log.LOCK)
        cursor = await conn.execute(PUT_UNDER, {"ids": list(ids), "parent_id": parent_id})
        under = sorted(number for (number,) in await cursor.fetchall())
        await event_log.tell(conn, under, Deed("suppressed", who, at, why, parent_id=parent_id))
    return under


async def release(
    conn: psycopg.AsyncConnection[Any], ids: Sequence[int], who: str, why: str, at: datetime
) -> list[int]:
    """Bring back alerts that another one stood for; the events, for storage.announce.announce_back."""
    async with conn.transaction():
        await conn.execute(event_log.LOCK)
        cursor = await conn.execute(LET_OUT, {"ids": list(ids)})
        events: list[int] = []
        for parent_id, out in groupby(sorted(await cursor.fetchall()), key=lambda row: row[0]):
            deed = Deed("released", who, at, why, parent_id=parent_id)
            events += await event_log.tell(conn, [number for _, number in out], deed)
        return events


def _judge(row: tuple[Any, ...], versions: Versions, order: Order) -> Acted:
    number, version, *standing = row
    if problem := refusal(order, Standing(*standing)):
        return Acted(number, "refused", version, problem)
    if versions is not None and version not in versions:
        return Acted(number, "changed", version, f"the alert is at version {version} now")
    return Acted(number, "done", version + 1)


async def _change(conn: psycopg.AsyncConnection[Any], ids: list[int], order: Order) -> None:
    values = order._asdict() | {"ids": ids}
    if order.action == "shelve":
        await conn.execute(shelf.SHELVE, values)
        if order.scope == "rule":
            await conn.execute(shelf.KEEP, values)
    elif order.action == "unshelve":
        await conn.execute(shelf.FORGET, values)
        await conn.execute(shelf.UNSHELVE, values)
    else:
        await conn.execute(UPDATE.format(CHANGE[order.action]).encode(), values)
