"""Which of what was just written is told, and that it was: notices that commit with their cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import procrastinate
import psycopg

from alerts.engine import Transition
from alerts.notices import Back, wants_notice, wants_notice_again
from storage import outbox

TOLD = "UPDATE alert SET told = true WHERE id = ANY (%s) AND NOT told"
BACK = """
SELECT t.id, a.id, a.active, a.acked, a.historical, a.held, a.severity
FROM transition AS t JOIN alert AS a ON a.id = t.alert_id WHERE t.id = ANY (%s) ORDER BY t.id
"""


class Moved(NamedTuple):
    """A transition with its id in the event log, and how its alert stands."""

    number: int
    transition: Transition
    alert_id: int
    held: bool
    told: bool


async def announce(
    jobs: procrastinate.App, conn: psycopg.AsyncConnection[Any], moved: Iterable[Moved], least_severity: int
) -> None:
    """Have notices of transitions sent, if this transaction commits."""
    begun: set[int] = set()
    for each in moved:
        # Of several in one batch the row is read before the first is told: told then counts from here on.
        told = each.told or each.alert_id in begun
        if wants_notice(each.transition, least_severity, each.held, told):
            await outbox.defer_notice(jobs, conn, each.number)
            if each.transition.what != "cleared":
                begun.add(each.alert_id)
    if begun:
        await conn.execute(TOLD, (list(begun),))


async def announce_back(
    jobs: procrastinate.App, conn: psycopg.AsyncConnection[Any], events: Sequence[int], least_severity: int
) -> int:
    """The same for alerts that are no longer shelved or suppressed, by the events that say so; how many are told."""
    if not events:
        return 0
    begun: list[int] = []
    for number, alert_id, *standing in await (await conn.execute(BACK, (list(events),))).fetchall():
        if wants_notice_again(Back(*standing), least_severity):
            await outbox.defer_notice(jobs, conn, number)
            begun.append(alert_id)
    if begun:
        await conn.execute(TOLD, (begun,))
    return len(begun)
