"""People who may sign in: by password, or by an OIDC provider. Nobody is deleted: what they did names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import DictRow, dict_row

from storage.as_json import time_sql
from storage.keys import Who

ITEM = f"""
name, role, regions, password IS NOT NULL AS has_password, subject, disabled,
{time_sql("created_at")} AS created_at, {time_sql("changed_at")} AS changed_at
"""
LIST = f"SELECT {ITEM} FROM app_user ORDER BY name"
CREATE = f"""
INSERT INTO app_user (name, role, regions, password) VALUES (%(name)s, %(role)s, %(regions)s, %(password)s)
ON CONFLICT (name) DO NOTHING RETURNING {ITEM}
"""
CHANGE = f"""
UPDATE app_user SET role = %(role)s, regions = %(regions)s, disabled = %(disabled)s, changed_at = now()
WHERE name = %(name)s RETURNING {ITEM}
"""
SET_PASSWORD = "UPDATE app_user SET password = %s, changed_at = now() WHERE name = %s"  # noqa: S105
DISABLE = "UPDATE app_user SET disabled = true, changed_at = now() WHERE name = %s"
STORED = "SELECT password, role, regions, disabled FROM app_user WHERE name = %s"
# Whoever the provider says it is keeps their name; role and regions are what it says now. Disabled stays disabled.
FROM_PROVIDER = """
INSERT INTO app_user AS u (name, role, regions, subject) VALUES (%(name)s, %(role)s, %(regions)s, %(subject)s)
ON CONFLICT (subject) DO UPDATE SET role = excluded.role, regions = excluded.regions, changed_at =
    CASE WHEN (u.role, u.regions) IS DISTINCT FROM (excluded.role, excluded.regions) THEN now() ELSE u.changed_at END
RETURNING u.name, u.role, u.regions, u.disabled
"""


class Account(NamedTuple):
    """What a sign-in needs to know. password: as it is stored."""

    password: str | None
    role: str
    regions: Sequence[str] | None
    disabled: bool


class NameTakenError(Exception):
    """Somebody else has this name here."""


async def listed(conn: psycopg.AsyncConnection[Any]) -> list[DictRow]:
    return await _rows(conn, LIST, {})


async def create(
    conn: psycopg.AsyncConnection[Any], name: str, role: str, regions: Sequence[str] | None, password: str | None
) -> DictRow | None:
    """Add a user; password is hashed already. None where the name is taken."""
    values = {"name": name, "role": role, "regions": _listed(regions), "password": password}
    rows = await _rows(conn, CREATE, values)
    return rows[0] if rows else None


async def change(
    conn: psycopg.AsyncConnection[Any], name: str, role: str, regions: Sequence[str] | None, disabled: bool
) -> DictRow | None:
    """Set what a user may do. None where there is no such user."""
    rows = await _rows(conn, CHANGE, {"name": name, "role": role, "regions": _listed(regions), "disabled": disabled})
    return rows[0] if rows else None


async def set_password(conn: psycopg.AsyncConnection[Any], name: str, password: str) -> bool:
    """password is hashed already. False where there is no such user."""
    return (await conn.execute(SET_PASSWORD, (password, name))).rowcount > 0


async def disable(conn: psycopg.AsyncConnection[Any], name: str) -> bool:
    """False where there is no such user."""
    return (await conn.execute(DISABLE, (name,))).rowcount > 0


async def account(conn: psycopg.AsyncConnection[Any], name: str) -> Account | None:
    row = await (await conn.execute(STORED, (name,))).fetchone()
    return Account(*row) if row else None


async def from_provider(
    conn: psycopg.AsyncConnection[Any], name: str, role: str, regions: Sequence[str] | None, subject: str
) -> Who | None:
    """The user whom a provider knows by this subject, added where new. None where disabled. Raises NameTakenError."""
    values = {"name": name, "role": role, "regions": _listed(regions), "subject": subject}
    try:
        row = await (await conn.execute(FROM_PROVIDER, values)).fetchone()
    except psycopg.errors.UniqueViolation:
        raise NameTakenError(name) from None
    assert row is not None
    known, role, allowed, disabled = row
    return None if disabled else signed_in(known, role, allowed)


def signed_in(name: str, role: str, regions: Sequence[str] | None) -> Who:
    """Who a user is once they have shown that they are it."""
    return Who(name, role, None if regions is None else tuple(regions), "user", name)


def _listed(regions: Sequence[str] | None) -> list[str] | None:
    return None if regions is None else sorted(set(regions))


async def _rows(conn: psycopg.AsyncConnection[Any], query: str, values: dict[str, Any]) -> list[DictRow]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(query.encode(), values)).fetchall()
