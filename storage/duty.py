"""The roster: who of a team is on duty when."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.rows import dict_row

from storage.as_json import time_sql

State = Literal["standing", "to come", "over", "all"]

STANDS = "d.ended_at IS NULL AND d.from_at <= %(at)s AND d.until > %(at)s"
ITEM = f"""
d.id, d.team, d.person, {time_sql("d.from_at")} AS "from", {time_sql("d.until")} AS "to", d.who,
{time_sql("d.created_at")} AS created_at, {time_sql("d.ended_at")} AS ended_at, d.ended_by,
CASE WHEN d.ended_at IS NOT NULL OR d.until <= %(at)s THEN 'over' WHEN d.from_at <= %(at)s THEN 'standing'
     ELSE 'to come' END AS state
"""
STATES: dict[State, str] = {
    "standing": STANDS,
    "to come": "d.ended_at IS NULL AND d.from_at > %(at)s",
    "over": "(d.ended_at IS NOT NULL OR d.until <= %(at)s)",
    "all": "true",
}
LIST = f"""
SELECT {ITEM} FROM duty AS d WHERE {{state}} AND (%(team)s::text IS NULL OR d.team = %(team)s)
AND (%(before)s::bigint IS NULL OR d.id < %(before)s)
ORDER BY d.id DESC LIMIT %(limit)s
"""
ONE = f"SELECT {ITEM} FROM duty AS d WHERE d.id = %(id)s"
ON_DUTY = f"SELECT d.team, d.person FROM duty AS d WHERE {STANDS} ORDER BY d.team, d.from_at, d.id"
CREATE = """
INSERT INTO duty (team, person, from_at, until, who, created_at)
VALUES (%(team)s, %(person)s, %(from_at)s, %(until)s, %(who)s, %(at)s) RETURNING id
"""
END = """
UPDATE duty SET ended_at = %(at)s, ended_by = %(who)s
WHERE id = %(id)s AND ended_at IS NULL AND until > %(at)s RETURNING id
"""


class Shift(NamedTuple):
    """What is asked for: half-open, from from_at until until."""

    team: str
    person: str
    from_at: datetime
    until: datetime
    who: str


async def create(conn: psycopg.AsyncConnection[Any], shift: Shift, at: datetime) -> int:
    """Write a shift down; its id."""
    row = await (await conn.execute(CREATE, shift._asdict() | {"at": at})).fetchone()
    assert row is not None
    return int(row[0])


async def end(conn: psycopg.AsyncConnection[Any], shift: int, who: str, at: datetime) -> bool:
    """End a shift before its time, or call one off that is to come. False where it is over already, or unknown."""
    return await (await conn.execute(END, {"id": shift, "who": who, "at": at})).fetchone() is not None


async def one(conn: psycopg.AsyncConnection[Any], shift: int, at: datetime) -> dict[str, Any] | None:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(ONE.encode(), {"id": shift, "at": at})
        return await cursor.fetchone()


async def listed(
    conn: psycopg.AsyncConnection[Any], state: State, team: str | None, before: int | None, limit: int, at: datetime
) -> list[dict[str, Any]]:
    """Shifts in a state, newest first; before: only of smaller id."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        values = {"team": team, "before": before, "limit": limit, "at": at}
        await cursor.execute(LIST.format(state=STATES[state]).encode(), values)
        return await cursor.fetchall()


async def on_duty(conn: psycopg.AsyncConnection[Any], at: datetime) -> dict[str, list[str]]:
    """Everybody who is on duty then, by team, each once."""
    found: dict[str, list[str]] = {}
    async for team, person in await conn.execute(ON_DUTY.encode(), {"at": at}):
        if person not in found.setdefault(team, []):
            found[team].append(person)
    return found
