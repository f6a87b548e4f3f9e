"""API keys, browser sessions and one-time sign-in tokens. Only SHA-256 digests are stored: the secrets are random.

A key or a session of a user ends with them, and can never do more than they: role and regions are looked up each time.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.rows import DictRow, dict_row

from storage.as_json import time_sql

Role = Literal["viewer", "operator", "engineer", "admin"]
# Each role may do what those before it may.
ROLES: tuple[Role, ...] = ("viewer", "operator", "engineer", "admin")
By = Literal["user", "key", "link"]
Conn = psycopg.AsyncConnection[Any]

# A request a second must not be a write a second.
NOTED_EVERY = "interval '1 minute'"

ENSURE_KEY = """
INSERT INTO api_key (name, digest, role) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, role = excluded.role, expires_at = NULL, revoked_at = NULL
"""
ADD_SIGN_IN = """
INSERT INTO session (digest, what, name, role, expires_at)
VALUES (%s, 'sign_in', %s, %s, now() + make_interval(secs => %s))
"""
ADD_SESSION = """
INSERT INTO session (digest, what, name, role, expires_at, owner, key_id, address)
VALUES (%s, 'session', %s, %s, now() + make_interval(secs => %s), %s, %s, %s) RETURNING expires_at
"""
# DELETE … RETURNING spends the token: of two clients that race for it, one gets nothing.
SPEND_SIGN_IN = """
DELETE FROM session WHERE digest = %s AND what = 'sign_in' AND expires_at > now() RETURNING name, role
"""
LIVES = "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())"
WHO_KEY = f"""
SELECT k.name, k.role, NULL, u.role, k.regions, u.regions, k.owner, k.id, k.expires_at,
    k.last_used_at IS NULL OR k.last_used_at < now() - {NOTED_EVERY}
FROM api_key AS k LEFT JOIN app_user AS u ON u.name = k.owner
WHERE k.digest = %s AND {LIVES} AND u.disabled IS NOT TRUE
"""
KEY_USED = "UPDATE api_key SET last_used_at = now() WHERE id = %s"
# What is signed in by a viewer's key changes nothing and is a wall as a rule: it may be cut off for a night.
WHO_SESSION = f"""
SELECT s.name, s.role, k.role, u.role, k.regions, u.regions, s.owner, s.key_id, least(s.expires_at, k.expires_at),
    s.seen_at < now() - {NOTED_EVERY}
FROM session AS s LEFT JOIN api_key AS k ON k.id = s.key_id
    LEFT JOIN app_user AS u ON u.name = coalesce(s.owner, k.owner)
WHERE s.digest = %(digest)s AND s.what = 'session' AND s.expires_at > now()
    AND (%(idle_s)s::float8 IS NULL OR s.seen_at > now() - make_interval(secs => %(idle_s)s) OR k.role = 'viewer')
    AND (s.key_id IS NULL OR {LIVES}) AND u.disabled IS NOT TRUE
"""
SESSION_SEEN = "UPDATE session SET seen_at = now() WHERE digest = %s"
END_SESSION = "DELETE FROM session WHERE digest = %s AND what = 'session'"
FORGET_EXPIRED = "DELETE FROM session WHERE expires_at <= now()"
FORGET_FAILURES = "DELETE FROM sign_in_failure WHERE until < now() - interval '1 day'"

SESSIONS = f"""
SELECT s.id, s.name, s.role, {time_sql("s.created_at")} AS created_at, {time_sql("s.seen_at")} AS seen_at,
    {time_sql("s.expires_at")} AS expires_at, s.address, s.digest IS NOT DISTINCT FROM %(digest)s AS current
FROM session AS s WHERE s.what = 'session' AND s.expires_at > now()
    AND (%(all)s OR s.owner = %(owner)s OR s.key_id = %(key_id)s) ORDER BY s.id
"""
END_ONE = """
DELETE FROM session WHERE id = %(id)s AND what = 'session'
    AND (%(all)s OR owner = %(owner)s OR key_id = %(key_id)s) RETURNING name
"""
END_OF_USER = "DELETE FROM session WHERE owner = %s AND digest IS DISTINCT FROM %s"

ITEM = f"""
k.id, k.name, k.role, k.regions, k.owner, {time_sql("k.created_at")} AS created_at,
{time_sql("k.expires_at")} AS expires_at, {time_sql("k.last_used_at")} AS last_used_at,
{time_sql("k.revoked_at")} AS revoked_at
"""
KEYS = f"SELECT {ITEM} FROM api_key AS k WHERE %(all)s OR k.owner = %(owner)s ORDER BY k.id"
ADD_KEY = f"""
INSERT INTO api_key AS k (name, digest, role, regions, owner, expires_at)
VALUES (%(name)s, %(digest)s, %(role)s, %(regions)s, %(owner)s, now() + make_interval(days => %(days)s))
ON CONFLICT (name) DO NOTHING RETURNING {ITEM}
"""
REVOKE = f"""
UPDATE api_key AS k SET revoked_at = now()
WHERE k.id = %(id)s AND k.revoked_at IS NULL AND (%(all)s OR k.owner = %(owner)s) RETURNING {ITEM}
"""


class Who(NamedTuple):
    """Somebody who may do what their role may. regions: all they may see of; None: everything.

    owner: the user whose the session or the key is; key_id: the key that was shown, or that a session began with.
    expires_at: when that ends; None: never.
    """

    name: str
    role: str
    regions: tuple[str, ...] | None = None
    by: By = "key"
    owner: str | None = None
    key_id: int | None = None
    expires_at: datetime | None = None

    @property
    def sees_all(self) -> bool:
        """Whether keys and sessions of others are theirs to look at and to end."""
        return self.role == "admin" and self.regions is None


class NewKey(NamedTuple):
    """What is asked for; days until it expires."""

    name: str
    role: str
    regions: Sequence[str] | None
    owner: str | None
    days: int


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def ensure_admin_key(conn: psycopg.Connection, key: str) -> None:
    """Make this the admin key of `siaga up`; the one it had before stops working."""
    conn.execute(ENSURE_KEY, ("siaga up", digest(key), "admin"))


def create_sign_in_token(conn: psycopg.Connection, role: str = "admin", valid_s: float = 900) -> str:
    """A token that signs one browser in, once, within valid_s seconds."""
    token = new_secret()
    conn.execute(ADD_SIGN_IN, (digest(token), "siaga up", role, valid_s))
    return token


async def who_has_key(conn: Conn, key: str) -> Who | None:
    row = await (await conn.execute(WHO_KEY.encode(), (digest(key),))).fetchone()
    if row is None:
        return None
    who = _who("key", row)
    if row[-1]:
        await conn.execute(KEY_USED, (who.key_id,))
    return who


async def who_is_signed_in(conn: Conn, session: str, idle_s: float | None = None) -> Who | None:
    """Whose session this is; None also where nothing was asked in it for idle_s seconds."""
    hashed = digest(session)
    row = await (await conn.execute(WHO_SESSION.encode(), {"digest": hashed, "idle_s": idle_s})).fetchone()
    if row is None:
        return None
    if row[-1]:
        await conn.execute(SESSION_SEEN, (hashed,))
    return _who("user" if row[6] else "key" if row[7] else "link", row)


async def spend_token(conn: Conn, token: str) -> Who | None:
    """Who the one-time token signs in; None when it is unknown, old or already used."""
    row = await (await conn.execute(SPEND_SIGN_IN, (digest(token),))).fetchone()
    return Who(row[0], row[1], by="link") if row else None


async def start_session(conn: Conn, who: Who, hours: float, address: str | None = None) -> tuple[str, datetime]:
    """A new browser session: its secret (for the cookie) and when it ends."""
    secret = new_secret()
    # Of somebody's key the key is enough: it ends with its owner.
    owner = who.owner if who.key_id is None else None
    values = (digest(secret), who.name, who.role, hours * 3600, owner, who.key_id, address)
    row = await (await conn.execute(ADD_SESSION, values)).fetchone()
    assert row is not None
    return secret, row[0]


async def end_session(conn: Conn, session: str) -> bool:
    return (await conn.execute(END_SESSION, (digest(session),))).rowcount > 0


async def forget_expired(conn: Conn) -> int:
    """Delete sessions and sign-in tokens that are over; how many. And failures that nobody waits for any more."""
    await conn.execute(FORGET_FAILURES)
    return (await conn.execute(FORGET_EXPIRED)).rowcount


async def sessions(conn: Conn, who: Who, current: str | None) -> list[DictRow]:
    """Sessions that are somebody's, or all where they see all; current: the secret of the one that asks."""
    values = _of(who) | {"digest": digest(current) if current else None}
    return await _rows(conn, SESSIONS, values)


async def end_one(conn: Conn, who: Who, number: int) -> str | None:
    """End a session that is theirs; whose it was. None where there is none."""
    row = await (await conn.execute(END_ONE, _of(who) | {"id": number})).fetchone()
    return row[0] if row else None


async def end_sessions_of(conn: Conn, user: str, but: str | None = None) -> int:
    """End the sessions of a user, but for one; how many."""
    return (await conn.execute(END_OF_USER, (user, digest(but) if but else None))).rowcount


async def keys(conn: Conn, who: Who | None) -> list[DictRow]:
    """Keys that are somebody's, or all where they see all; None: the command line, which does."""
    return await _rows(conn, KEYS, _of(who))


async def create_key(conn: Conn, asked: NewKey) -> tuple[str, DictRow] | None:
    """A new key: the secret, which nobody is told again, and the key. None where the name is taken."""
    secret = new_secret()
    made = await _rows(conn, ADD_KEY, asked._asdict() | {"regions": _listed(asked.regions), "digest": digest(secret)})
    return (secret, made[0]) if made else None


async def revoke_key(conn: Conn, who: Who | None, number: int) -> DictRow | None:
    """Let a key open nothing any more, and end what was begun with it. None where it is not theirs, or was revoked."""
    rows = await _rows(conn, REVOKE, _of(who) | {"id": number})
    return rows[0] if rows else None


def least(roles: Iterable[str | None]) -> str:
    """The one that may do least."""
    return min((role for role in roles if role is not None), key=ROLES.index)


def common(*regions: Sequence[str] | None) -> tuple[str, ...] | None:
    """What is in all of them; None is everything."""
    given = [set(each) for each in regions if each is not None]
    return tuple(sorted(set.intersection(*given))) if given else None


def _who(by: By, row: Sequence[Any]) -> Who:
    name, *roles, of_key, of_user, owner, key_id, expires_at, _ = row
    return Who(name, least(roles), common(of_key, of_user), by, owner, key_id, expires_at)


def _of(who: Who | None) -> dict[str, Any]:
    if who is None:
        return {"all": True, "owner": None, "key_id": None}
    return {"all": who.sees_all, "owner": who.owner, "key_id": who.key_id}


def _listed(regions: Sequence[str] | None) -> list[str] | None:
    return None if regions is None else sorted(set(regions))


async def _rows(conn: Conn, query: str, values: dict[str, Any]) -> list[DictRow]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(query.encode(), values)).fetchall()
