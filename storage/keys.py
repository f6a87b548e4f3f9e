"""API keys, browser sessions and one-time sign-in tokens. Only SHA-256 digests are stored: the secrets are random."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import NamedTuple

import psycopg

ENSURE_KEY = """
INSERT INTO api_key (name, digest, role) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, role = excluded.role, expires_at = NULL
"""
ADD_SESSION = """
INSERT INTO session (digest, what, name, role, expires_at)
VALUES (%s, %s, %s, %s, now() + make_interval(secs => %s)) RETURNING expires_at
"""
# DELETE … RETURNING spends the token: of two clients that race for it, one gets nothing.
SPEND_SIGN_IN = """
DELETE FROM session WHERE digest = %s AND what = 'sign_in' AND expires_at > now() RETURNING name, role
"""
WHO_KEY = "SELECT name, role FROM api_key WHERE digest = %s AND (expires_at IS NULL OR expires_at > now())"
WHO_SESSION = "SELECT name, role FROM session WHERE digest = %s AND what = 'session' AND expires_at > now()"
END_SESSION = "DELETE FROM session WHERE digest = %s AND what = 'session'"
FORGET_EXPIRED = "DELETE FROM session WHERE expires_at <= now()"


class Who(NamedTuple):
    """Somebody who may do what their role may."""

    name: str
    role: str


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
    conn.execute(ADD_SESSION, (digest(token), "sign_in", "siaga up", role, valid_s))
    return token


async def who_has_key(conn: psycopg.AsyncConnection, key: str) -> Who | None:
    row = await (await conn.execute(WHO_KEY, (digest(key),))).fetchone()
    return Who(*row) if row else None


async def who_is_signed_in(conn: psycopg.AsyncConnection, session: str) -> Who | None:
    row = await (await conn.execute(WHO_SESSION, (digest(session),))).fetchone()
    return Who(*row) if row else None


async def spend_token(conn: psycopg.AsyncConnection, token: str) -> Who | None:
    """Who the one-time token signs in; None when it is unknown, old or already used."""
    row = await (await conn.execute(SPEND_SIGN_IN, (digest(token),))).fetchone()
    return Who(*row) if row else None


async def start_session(conn: psycopg.AsyncConnection, who: Who, hours: float) -> tuple[str, datetime]:
    """A new browser session: its secret (for the cookie) and when it ends."""
    secret = new_secret()
    row = await (
        await conn.execute(ADD_SESSION, (digest(secret), "session", who.name, who.role, hours * 3600))
    ).fetchone()
    assert row is not None
    return secret, row[0]


async def end_session(conn: psycopg.AsyncConnection, session: str) -> None:
    await conn.execute(END_SESSION, (digest(session),))


async def forget_expired(conn: psycopg.AsyncConnection) -> int:
    """Delete sessions and sign-in tokens that are over; how many."""
    return (await conn.execute(FORGET_EXPIRED)).rowcount
