"""Keys, sessions and one-time tokens: only digests are kept, a token is spent once, what has expired opens nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from storage import keys
from storage.connect import connect, connect_async
from tests.storage.waiting import until_waiting

pytestmark = pytest.mark.same_tables

Conn = psycopg.AsyncConnection[Any]


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Conn]:
    async with await connect_async(database_url, "test") as conn:
        yield conn


def token(url: str, **more: Any) -> str:
    with connect(url, "test") as conn:
        return keys.create_sign_in_token(conn, **more)


def named(who: keys.Who | None) -> tuple[str, str] | None:
    return who and (who.name, who.role)


async def test_a_key_is_known_until_it_expires(conn: Conn) -> None:
    await conn.execute("INSERT INTO api_key (name, digest, role) VALUES ('vendor', %s, 'viewer')", (keys.digest("k"),))
    assert named(await keys.who_has_key(conn, "k")) == ("vendor", "viewer")
    assert await keys.who_has_key(conn, "K") is None
    await conn.execute("UPDATE api_key SET expires_at = now() + interval '1 hour'")
    assert await keys.who_has_key(conn, "k") is not None
    await conn.execute("UPDATE api_key SET expires_at = now()")
    assert await keys.who_has_key(conn, "k") is None


async def test_the_admin_key_replaces_the_one_before(database_url: str, conn: Conn) -> None:
    with connect(database_url, "test") as sync:
        keys.ensure_admin_key(sync, "first")
        keys.ensure_admin_key(sync, "first")
        assert named(await keys.who_has_key(conn, "first")) == ("siaga up", "admin")
        keys.ensure_admin_key(sync, "second")
    assert await keys.who_has_key(conn, "first") is None
    assert named(await keys.who_has_key(conn, "second")) == ("siaga up", "admin")


async def test_a_token_is_spent_once(database_url: str, conn: Conn) -> None:
    made = token(database_url, role="operator")
    assert await keys.spend_token(conn, "another") is None
    assert named(await keys.spend_token(conn, made)) == ("siaga up", "operator")
    assert await keys.spend_token(conn, made) is None


@pytest.mark.two_sessions
async def test_two_browsers_race_for_a_token(database_url: str, conn: Conn) -> None:
    """Both are under way; the second waits for the first and then gets nothing."""
    made = token(database_url)
    async with await connect_async(database_url, "other") as other, await connect_async(database_url, "look") as look:
        async with conn.transaction():
            assert await keys.spend_token(conn, made) is not None
            second = asyncio.create_task(keys.spend_token(other, made))
            await until_waiting(look, other.info.backend_pid)
        assert await second is None


async def test_an_old_token_signs_nobody_in(database_url: str, conn: Conn) -> None:
    assert await keys.spend_token(conn, token(database_url, valid_s=0)) is None


async def test_a_session_ends_when_asked_or_by_itself(conn: Conn) -> None:
    who = keys.Who("sari", "operator")
    secret, until = await keys.start_session(conn, who, hours=2)
    assert timedelta(hours=1.9) < until - datetime.now(UTC) < timedelta(hours=2.1)
    assert named(await keys.who_is_signed_in(conn, secret)) == ("sari", "operator")
    other, _ = await keys.start_session(conn, who, hours=2)
    await keys.end_session(conn, secret)
    assert await keys.who_is_signed_in(conn, secret) is None
    assert named(await keys.who_is_signed_in(conn, other)) == ("sari", "operator")
    expired, _ = await keys.start_session(conn, who, hours=0)
    assert await keys.who_is_signed_in(conn, expired) is None


async def test_one_secret_is_not_good_for_another_door(database_url: str, conn: Conn) -> None:
    """A sign-in token is no session, a session no token, and neither an API key."""
    made = token(database_url)
    session, _ = await keys.start_session(conn, keys.Who("sari", "admin"), hours=1)
    assert await keys.who_is_signed_in(conn, made) is None
    assert await keys.spend_token(conn, session) is None
    for secret in (made, session):
        assert await keys.who_has_key(conn, secret) is None


async def test_secrets_are_not_stored(database_url: str, conn: Conn) -> None:
    made = token(database_url)
    session, _ = await keys.start_session(conn, keys.Who("sari", "viewer"), hours=1)
    rows = await (await conn.execute("SELECT s::text FROM session s")).fetchall()
    assert len(rows) == 2
    assert not any(secret in row for (row,) in rows for secret in (made, session))


def test_secrets_are_long_and_differ() -> None:
    made = {keys.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 43
