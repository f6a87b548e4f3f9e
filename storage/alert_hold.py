"""Whether an alert that has just moved is to be shown: shelves and windows, inside the writer's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from alerts.life import SERVER, outgrown
from storage import shelf, windows
from storage.event_log import Deed

# What RAISE returns of these, beside its columns: the window that covers the device, whether the rule is on the shelf.
FOUND = f"""
(SELECT min(w.id) FROM service_window AS w LEFT JOIN device AS d ON d.id = %(device_id)s
 WHERE {windows.STANDS} AND {windows.COVERS.format(device_id="%(device_id)s")}),
EXISTS (SELECT FROM shelf AS s WHERE s.rule = %(rule)s AND s.device_id = %(device_id)s AND s.until > %(at)s
        AND s.severity >= %(severity)s)
"""
TAKE_IN = """
UPDATE alert AS a SET window_id = w.id FROM service_window AS w
WHERE a.id = %(id)s AND w.id = %(window)s RETURNING w.who, w.reason
"""
WORSE = "it became worse than it was when it was shelved"


class Touched(NamedTuple):
    """An alert as a transition has left it."""

    id: int
    held: bool
    window_id: int | None
    shelved_severity: int | None
    parent_id: int | None
    covered_by: int | None = None
    on_shelf: bool = False


async def settle(
    conn: psycopg.AsyncConnection[Any], alert: Touched, severity: int | None, at: datetime
) -> tuple[bool, list[Deed]]:
    """Shelve, unshelve or suppress an alert as far as it must be; whether it is held now, and what to log after."""
    deeds: list[Deed] = []
    shelved, window = alert.shelved_severity is not None, alert.window_id
    if severity is not None and alert.shelved_severity is not None and outgrown(severity, alert.shelved_severity):
        await conn.execute(shelf.FORGET, {"ids": [alert.id]})
        await conn.execute(shelf.UNSHELVE, {"ids": [alert.id]})
        deeds.append(Deed("unshelved", SERVER, at, WORSE))
        shelved = False
    elif alert.on_shelf and not shelved:
        row = await (await conn.execute(shelf.TAKE, {"id": alert.id})).fetchone()
        assert row is not None
        deeds.append(Deed("shelved", row[0], at, row[1], row[2]))
        shelved = True
    if alert.covered_by is not None and window is None:
        window = alert.covered_by
        row = await (await conn.execute(TAKE_IN, {"id": alert.id, "window": window})).fetchone()
        assert row is not None
        deeds.append(Deed("suppressed", row[0], at, row[1]))
    return shelved or window is not None or alert.parent_id is not None, deeds
