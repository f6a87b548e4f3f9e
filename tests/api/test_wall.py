"""The wall signs in by the key in its address once, stays signed in as long as the key lives, and shows no key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from api import shapes
from storage import keys
from tests.api.conftest import KEYS

DAYS = timedelta(days=1)


@pytest.fixture
def wall_key(db: psycopg.Connection) -> datetime:
    """A key "of-the-wall", and when it ends."""
    until = datetime.now(UTC).replace(microsecond=0) + 20 * DAYS
    db.execute(
        "INSERT INTO api_key (name, digest, role, expires_at) VALUES ('dinding', %s, 'viewer', %s)",
        (keys.digest("of-the-wall"), until),
    )
    return until


async def test_the_key_becomes_a_cookie(client: Any, wall_key: datetime, capsys: Any) -> None:
    browser = client(None)
    answer = await browser.get("/dinding?tema=gelap&kunci=of-the-wall&halaman=sungai")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dinding?tema=gelap&halaman=sungai")
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    age = int(cookie.split("Max-Age=")[1].split(";")[0])
    assert timedelta(days=19.9) < timedelta(seconds=age) <= 20 * DAYS
    me = await browser.get("/api/v1/me")
    shapes.Me.model_validate_json(me.content)
    assert (me.json()["name"], me.json()["role"]) == ("dinding", "viewer")
    assert datetime.fromisoformat(me.json()["expires_at"]) <= wall_key
    assert wall_key - datetime.fromisoformat(me.json()["expires_at"]) < timedelta(minutes=1)
    assert (await browser.post("/api/v1/alerts/1/ack", headers={"X-Siaga": "1"})).status_code == 403
    assert "of-the-wall" not in capsys.readouterr().out


async def test_without_other_parameters(client: Any, wall_key: datetime) -> None:
    answer = await client(None).get("/dinding?kunci=of-the-wall")
    assert answer.headers["location"] == "/dinding"


async def test_a_wall_that_was_cut_off_for_a_night_is_still_signed_in(
    client: Any, wall_key: datetime, db: psycopg.Connection
) -> None:
    wall, person = client(None), client(None)
    await wall.get("/dinding?kunci=of-the-wall")
    await person.post("/api/v1/session", json={"key": KEYS["operator"]})
    db.execute("UPDATE session SET seen_at = now() - interval '12 hours'")
    assert (await wall.get("/api/v1/me")).status_code == 200
    assert (await person.get("/api/v1/me")).status_code == 401


async def test_a_revoked_key_ends_it(client: Any, wall_key: datetime, db: psycopg.Connection) -> None:
    wall = client(None)
    await wall.get("/dinding?kunci=of-the-wall")
    db.execute("UPDATE api_key SET revoked_at = now() WHERE name = 'dinding'")
    assert (await wall.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize("key", ["wrong", "", KEYS["operator"], KEYS["admin"]])
async def test_other_keys_are_refused(client: Any, db: psycopg.Connection, key: str) -> None:
    answer = await client(None).get("/dinding", params={"kunci": key})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "set-cookie" not in answer.headers
    assert key not in answer.text or not key
    assert db.execute("SELECT what FROM audit").fetchall() == [("session.refused",)]


async def test_a_key_that_never_ends_lasts_as_long_as_a_cookie(client: Any) -> None:
    browser = client(None)
    await browser.get("/dinding", params={"kunci": KEYS["viewer"]})
    until = datetime.fromisoformat((await browser.get("/api/v1/me")).json()["expires_at"])
    assert timedelta(days=399) < until - datetime.now(UTC) <= timedelta(days=400)


async def test_me_tells_when_a_key_ends(client: Any, wall_key: datetime) -> None:
    made = client(None)
    made.headers["Authorization"] = "Bearer of-the-wall"
    assert datetime.fromisoformat((await made.get("/api/v1/me")).json()["expires_at"]) == wall_key
    assert (await client("viewer").get("/api/v1/me")).json()["expires_at"] is None


async def test_without_a_key_it_is_a_page_like_others(client: Any) -> None:
    browser = client(None)
    wall, home = await browser.get("/dinding"), await browser.get("/")
    assert (wall.status_code, wall.content) == (200, home.content)
    assert (await browser.head("/dinding")).status_code == 200
