"""The event log: rows of `transition` whose ids are in commit order, so that a cursor never skips one.

Order holds because whoever inserts takes one advisory lock first and keeps it until commit. Insert as the last step.
Everybody who changes an alert takes it, before the alert: so two of them never wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from alerts.life import Done, Withheld

# "siaga ev" in ASCII: any constant does, as long as nobody else in this database uses it.
LOCK = "SELECT pg_advisory_xact_lock(x'7369616761206576'::bigint)"

# quiet: nobody is shown it as something new; storage/alert_kpi.py counts the others.
INSERT = """
INSERT INTO transition (alert_id, what, from_severity, to_severity, siaga, event_at, detected_at, who, why, value,
                        quiet)
VALUES (%(alert_id)s, %(what)s, %(from_severity)s, %(to_severity)s, %(siaga)s, %(event_at)s, %(detected_at)s,
        %(who)s, %(why)s, %(value)s, (SELECT historical OR held FROM alert WHERE id = %(alert_id)s))
RETURNING id
"""
# What people or the server did: the level stays as it is.
INSERT_DEEDS = """
INSERT INTO transition (alert_id, what, from_severity, to_severity, siaga, event_at, detected_at, who, why, value,
                        until, assignee, parent_id, quiet)
SELECT id, %(what)s::text, severity, severity, siaga, %(at)s::timestamptz, %(at)s::timestamptz, %(who)s::text,
    %(why)s::text, value, %(until)s::timestamptz, %(assignee)s::text, %(parent_id)s::bigint, historical OR held
FROM alert WHERE id = ANY (%(ids)s) ORDER BY id
RETURNING id
"""


class Deed(NamedTuple):
    """Something done to alerts, by whom and why. until: of shelving; assignee: of assigning; parent_id: of the alert
    that stands for those suppressed."""

    what: Done | Withheld
    who: str
    at: datetime
    why: str | None = None
    until: datetime | None = None
    assignee: str | None = None
    parent_id: int | None = None


async def tell(conn: psycopg.AsyncConnection[Any], ids: Sequence[int], deed: Deed) -> list[int]:
    """Log what was done to these alerts, after it was done; the ids of the events. The lock must be held."""
    cursor = await conn.execute(INSERT_DEEDS, deed._asdict() | {"ids": list(ids)})
    return [number for (number,) in await cursor.fetchall()]
