"""The audit log: what people did, who they were and where they came from. Rows are only ever added: a trigger says so.

Changes of what the API manages write their own lines (triggers of migration 0016, by the setting siaga.caller);
sign-ins, users and keys write theirs here, in the transaction of the change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from storage.as_json import time_sql

By = Literal["user", "key", "link", "command", "nobody"]
SETTING = "siaga.caller"
ENTER = f"SELECT set_config('{SETTING}', %s, false)"

ADD = """
INSERT INTO audit (who, by, what, subject, request, address, details)
VALUES (%(who)s, %(by)s, %(what)s, %(subject)s, %(request)s, %(address)s, %(details)s)
"""
LIST = f"""
SELECT id, {time_sql("at")} AS at, who, by, what, subject, request, address, details FROM audit
WHERE (%(who)s::text IS NULL OR who = %(who)s) AND (%(subject)s::text IS NULL OR subject = %(subject)s)
    AND (%(what)s::text IS NULL OR what = %(what)s OR starts_with(what, %(what)s || '.'))
    AND (%(since)s::timestamptz IS NULL OR at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
    AND (%(before)s::bigint IS NULL OR id < %(before)s)
ORDER BY id DESC LIMIT %(limit)s
"""


class Origin(NamedTuple):
    """Who does something, how they were let in, in which request and from where."""

    who: str
    by: By
    request: str | None = None
    address: str | None = None

    def setting(self) -> str:
        """For siaga.caller."""
        return json.dumps(self._asdict())


class Query(NamedTuple):
    """Which lines; None is any. what: a name, or its first part: user, key, alert."""

    who: str | None = None
    what: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def write(
    conn: psycopg.AsyncConnection[Any],
    origin: Origin,
    what: str,
    subject: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add a line; inside the transaction of what was done."""
    values = origin._asdict() | {"what": what, "subject": subject, "details": Jsonb(dict(details or {}))}
    await conn.execute(ADD, values)


async def lines(conn: psycopg.AsyncConnection[Any], query: Query, before: int | None, limit: int) -> list[DictRow]:
    """Newest first; before: only of smaller id."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        values = query._asdict() | {"before": before, "limit": limit}
        return await (await cursor.execute(LIST.encode(), values)).fetchall()
