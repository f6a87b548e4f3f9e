"""Which of what was just written may be worth telling: rows of the outbox that commit with their cause.

Rows, one statement a batch, not a job each: in a flood of 10,000 alerts the notice of a river must not wait behind as
many jobs. Whom it concerns the worker asks the plan (worker/dispatch.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import psycopg

from alerts.engine import Transition
from alerts.notices import Back, Why, wants_notice, wants_notice_again

PUT = "INSERT INTO notice_outbox (transition_id, why) SELECT * FROM unnest(%s::bigint[], %s::text[])"
BACK = """
SELECT t.id, a.active, a.acked, a.historical, a.held, a.severity
FROM transition AS t JOIN alert AS a ON a.id = t.alert_id WHERE t.id = ANY (%s) ORDER BY t.id
"""


class Moved(NamedTuple):
    """A transition with its id in the event log, and whether its alert is held."""

    number: int
    transition: Transition
    alert_id: int
    held: bool


async def announce(conn: psycopg.AsyncConnection[Any], moved: Iterable[Moved], least_severity: int) -> None:
    """Have people told of transitions, if this transaction commits."""
    found = {each.number: wants_notice(each.transition, least_severity, each.held) for each in moved}
    await _put(conn, {number: why for number, why in found.items() if why})


async def announce_back(conn: psycopg.AsyncConnection[Any], events: Sequence[int], least_severity: int) -> int:
    """The same for alerts that are no longer shelved or suppressed, by the events that say so; how many are told."""
    if not events:
        return 0
    rows = await (await conn.execute(BACK, (list(events),))).fetchall()
    found = {number: wants_notice_again(Back(*standing), least_severity) for number, *standing in rows}
    worth = {number: why for number, why in found.items() if why}
    await _put(conn, worth)
    return len(worth)


async def _put(conn: psycopg.AsyncConnection[Any], worth: dict[int, Why]) -> None:
    if worth:
        await conn.execute(PUT, (list(worth), list(worth.values())))
