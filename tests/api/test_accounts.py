"""Users and keys: who signs in, what they may do then and for how long, and how often a password may be wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from runtime.settings import Settings
from storage import passwords

PASSWORD = "sungai-silau-2026"
HASH = passwords.hashed(PASSWORD)
X = {"X-Siaga": "1"}


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, live_poll_s=0.05, sign_in_tries_max=6, sign_in_address_tries_max=12)


@pytest.fixture
def person(db: psycopg.Connection) -> Callable[..., None]:
    def add(name: str = "sari", role: str = "operator", regions: list[str] | None = None) -> None:
        db.execute(
            "INSERT INTO app_user (name, role, regions, password) VALUES (%s, %s, %s, %s)", (name, role, regions, HASH)
        )

    return add


async def signed_in(client: Any, name: str = "sari", base_url: str | None = None) -> httpx.AsyncClient:
    browser: httpx.AsyncClient = client(None)
    answer = await browser.post("/api/v1/session", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return browser


async def test_a_user_signs_in_by_password(client: Any, person: Any) -> None:
    person(regions=["12.09"])
    me = (await (await signed_in(client)).get("/api/v1/me")).json()
    assert (me["name"], me["role"], me["regions"], me["by"]) == ("sari", "operator", ["12.09"], "user")


async def test_a_sign_in_page_learns_what_it_needs_without_a_key(client: Any) -> None:
    answer = await client(None).get("/api/v1/session")
    assert (answer.status_code, answer.json()) == (200, {"regency": "Kabupaten Asahan", "oidc": False})


@pytest.mark.parametrize(
    "body", [{}, {"name": "sari"}, {"key": "k", "name": "sari", "password": "x"}, {"password": "x"}]
)
async def test_either_a_key_or_a_name_with_password(client: Any, body: dict[str, str]) -> None:
    assert (await client(None).post("/api/v1/session", json=body)).status_code == 422


async def test_a_wrong_password_and_an_unknown_name_look_the_same(client: Any, person: Any) -> None:
    person()
    answers = [
        await client(None).post("/api/v1/session", json={"name": name, "password": "wrong"})
        for name in ("sari", "none")
    ]
    assert [each.status_code for each in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()


async def test_passwords_are_stored_as_argon2id_with_a_salt_of_their_own() -> None:
    assert HASH.startswith("$argon2id$")
    assert passwords.hashed(PASSWORD) != HASH
    assert passwords.fits(PASSWORD, HASH) == (True, None)


async def test_an_unknown_name_costs_a_hash_as_a_known_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    monkeypatch.setattr(passwords._HASHER, "verify", lambda password, stored: looked_at.append(stored))
    assert passwords.fits("x", None) == (False, None)
    assert len(looked_at) == 1
    assert looked_at[0].startswith("$argon2id$")


@pytest.mark.parametrize("name", ["sari", "nobody at all"])
async def test_wrong_passwords_make_a_name_wait_and_then_lock_it(
    client: Any, person: Any, db: psycopg.Connection, name: str
) -> None:
    person()
    browser = client(None)

    async def attempt(password: str) -> httpx.Response:
        answer: httpx.Response = await browser.post("/api/v1/session", json={"name": name, "password": password})
        return answer

    for pause_s in (0, 0, 0, 2, 4, 900):
        before = moment(db)
        assert (await attempt("wrong")).status_code == 401
        after, until = moment(db), db.execute("SELECT until FROM sign_in_failure WHERE what = 'name'").fetchone()
        assert until
        assert before <= until[0] - timedelta(seconds=pause_s) <= after
        if pause_s == 900:
            refused = await attempt(PASSWORD)
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= 900
        db.execute("UPDATE sign_in_failure SET until = now() - interval '1 s'")
    if name == "sari":
        assert (await attempt(PASSWORD)).status_code == 200
        assert db.execute("SELECT FROM sign_in_failure WHERE what = 'name'").fetchone() is None


def moment(db: psycopg.Connection) -> datetime:
    row = db.execute("SELECT clock_timestamp()").fetchone()
    assert row
    found: datetime = row[0]
    return found


async def test_an_address_is_locked_whatever_names_it_tries(client: Any, db: psycopg.Connection) -> None:
    browser = client(None)
    statuses = []
    for number in range(12):
        db.execute("UPDATE sign_in_failure SET until = now() - interval '1 s'")
        answer = await browser.post("/api/v1/session", json={"name": f"name {number}", "password": "x"})
        statuses.append(answer.status_code)
    assert set(statuses) == {401}
    assert (await browser.post("/api/v1/session", json={"key": "key-of-the-viewer"})).status_code == 429
    # A key in the header is no guess: nothing is counted, and nobody is shut out.
    assert (await client("viewer").get("/api/v1/me")).status_code == 200


async def test_who_signs_in_does_not_wipe_out_the_guesses_of_others_at_their_address(
    client: Any, person: Any, db: psycopg.Connection
) -> None:
    person()
    for _ in range(2):
        await client(None).post("/api/v1/session", json={"name": "budi", "password": "wrong"})
    await signed_in(client)
    assert db.execute("SELECT failed FROM sign_in_failure WHERE what = 'address'").fetchone() == (2,)


async def test_a_new_sign_in_ends_the_session_that_the_browser_had(client: Any, person: Any) -> None:
    person()
    browser = await signed_in(client)
    old = browser.cookies["siaga_session"]
    await browser.post("/api/v1/session", json={"name": "sari", "password": PASSWORD})
    assert browser.cookies["siaga_session"] != old
    assert (await client(None, cookies={"siaga_session": old}).get("/api/v1/me")).status_code == 401


async def test_a_session_ends_by_itself_when_idle(client: Any, person: Any, db: psycopg.Connection) -> None:
    person()
    browser = await signed_in(client)
    db.execute("UPDATE session SET seen_at = now() - interval '90 min'")
    assert (await browser.get("/api/v1/me")).status_code == 200
    assert db.execute("SELECT seen_at > now() - interval '1 min' FROM session").fetchone() == (True,)
    db.execute("UPDATE session SET seen_at = now() - interval '121 min'")
    assert (await browser.get("/api/v1/me")).status_code == 401


async def test_over_https_the_cookie_is_of_this_host_alone(app: Any, person: Any) -> None:
    person()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://siaga") as browser:
        answer = await browser.post("/api/v1/session", json={"name": "sari", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-siaga_session=")
        assert {"secure", "httponly", "path=/", "samesite=strict"} <= set(cookie.lower().split("; "))
        assert "domain" not in cookie.lower()
        assert (await browser.get("/api/v1/me")).status_code == 200
        # One that anybody without TLS could have set opens nothing here.
        weak = {"Cookie": f"siaga_session={answer.cookies['__Host-siaga_session']}"}
        browser.cookies.clear()
        assert (await browser.get("/api/v1/me", headers=weak)).status_code == 401


async def test_what_an_admin_changes_counts_at_once(client: Any, person: Any) -> None:
    person()
    browser, admin = await signed_in(client), client("admin")
    less = {"role": "viewer", "regions": ["12.09"], "disabled": False}
    assert (await admin.put("/api/v1/users/sari", json=less)).status_code == 200
    me = (await browser.get("/api/v1/me")).json()
    assert (me["role"], me["regions"]) == ("viewer", ["12.09"])
    assert (await admin.put("/api/v1/users/sari", json=less | {"disabled": True})).status_code == 200
    assert (await browser.get("/api/v1/me")).status_code == 401
    again = await client(None).post("/api/v1/session", json={"name": "sari", "password": PASSWORD})
    assert again.status_code == 401


async def test_nobody_changes_their_own_role(client: Any, person: Any) -> None:
    person(role="admin")
    browser = await signed_in(client)
    more = {"role": "admin", "regions": None, "disabled": False}
    assert (await browser.put("/api/v1/users/sari", json=more, headers=X)).status_code == 409


async def test_users_are_made_and_listed_without_their_passwords(client: Any) -> None:
    admin = client("admin")
    body = {"name": "budi", "role": "engineer", "regions": ["12.09"], "password": PASSWORD}
    made = await admin.post("/api/v1/users", json=body)
    assert made.status_code == 201
    assert (await admin.post("/api/v1/users", json=body)).status_code == 409
    listed = await admin.get("/api/v1/users")
    assert [each["name"] for each in listed.json()["items"]] == ["budi"]
    for answer in (made, listed):
        assert "argon2" not in answer.text
        assert PASSWORD not in answer.text
    await signed_in(client, "budi")


@pytest.mark.parametrize("password", ["", "short", "eleven char"])
async def test_a_short_password_is_refused(client: Any, password: str) -> None:
    body = {"name": "budi", "role": "viewer", "password": password}
    answer = await client("admin").post("/api/v1/users", json=body)
    assert answer.status_code == 422
    assert "password" in answer.json()["detail"]


async def test_one_changes_ones_own_password_and_sessions_elsewhere_end(client: Any, person: Any) -> None:
    person()
    here, there = await signed_in(client), await signed_in(client)
    wrong = {"old": "wrong", "new": "another-password-1"}
    assert (await here.post("/api/v1/session/password", json=wrong, headers=X)).status_code == 422
    right = wrong | {"old": PASSWORD}
    assert (await here.post("/api/v1/session/password", json=right, headers=X)).status_code == 204
    assert (await here.get("/api/v1/me")).status_code == 200
    assert (await there.get("/api/v1/me")).status_code == 401


async def test_one_sees_and_ends_ones_own_sessions(client: Any, person: Any) -> None:
    person()
    person("budi")
    sari, budi = await signed_in(client), await signed_in(client, "budi")
    own = (await sari.get("/api/v1/sessions")).json()["items"]
    assert [(each["name"], each["current"]) for each in own] == [("sari", True)]
    every = (await client("admin").get("/api/v1/sessions")).json()["items"]
    assert [each["name"] for each in every] == ["sari", "budi"]
    assert (await sari.delete(f"/api/v1/sessions/{every[1]['id']}", headers=X)).status_code == 404
    assert (await client("admin").delete(f"/api/v1/sessions/{every[1]['id']}")).status_code == 204
    assert (await budi.get("/api/v1/me")).status_code == 401


async def test_a_key_is_shown_once_and_expires(client: Any, db: psycopg.Connection) -> None:
    admin = client("admin")
    made = (await admin.post("/api/v1/keys", json={"name": "vendor", "role": "viewer", "regions": ["12.09"]})).json()
    key = made.pop("key")
    assert (made["owner"], made["regions"]) == (None, ["12.09"])
    assert db.execute("SELECT expires_at - created_at FROM api_key WHERE name = 'vendor'").fetchone()[0].days == 90  # type: ignore[index]
    listed = await admin.get("/api/v1/keys")
    assert key not in listed.text
    assert "digest" not in listed.text
    vendor = client(None)
    vendor.headers["Authorization"] = f"Bearer {key}"
    assert (await vendor.get("/api/v1/me")).json()["regions"] == ["12.09"]
    used = db.execute("SELECT last_used_at IS NOT NULL FROM api_key WHERE name = 'vendor'").fetchone()
    assert used == (True,)
    assert (await admin.delete(f"/api/v1/keys/{made['id']}")).status_code == 200
    assert (await vendor.get("/api/v1/me")).status_code == 401
    assert (await admin.delete(f"/api/v1/keys/{made['id']}")).status_code == 404


async def test_a_key_lasts_no_longer_than_the_setting(client: Any) -> None:
    answer = await client("admin").post("/api/v1/keys", json={"name": "v", "role": "viewer", "days": 366})
    assert answer.status_code == 422
    assert "SIAGA_KEY_DAYS_MAX" in answer.json()["detail"]


async def test_ones_own_key_can_do_no_more_than_oneself(client: Any, person: Any) -> None:
    person(regions=["12.09"])
    browser, admin = await signed_in(client), client("admin")
    for wrong in ({"role": "engineer"}, {"regions": ["12.71"]}, {"own": False}):
        refused = await browser.post("/api/v1/keys", json={"name": "mine", "role": "viewer"} | wrong, headers=X)
        assert refused.status_code == 403, wrong
    made = (await browser.post("/api/v1/keys", json={"name": "mine", "role": "operator"}, headers=X)).json()
    assert (made["owner"], made["regions"]) == ("sari", ["12.09"])
    mine = client(None)
    mine.headers["Authorization"] = f"Bearer {made['key']}"
    less = {"role": "viewer", "regions": ["12.09"], "disabled": False}
    await admin.put("/api/v1/users/sari", json=less)
    assert (await mine.get("/api/v1/me")).json()["role"] == "viewer"
    await admin.put("/api/v1/users/sari", json=less | {"disabled": True})
    assert (await mine.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize("role", ["viewer", "operator", "engineer"])
async def test_a_stolen_key_makes_no_others(client: Any, role: str) -> None:
    assert (await client(role).post("/api/v1/keys", json={"name": "more", "role": "viewer"})).status_code == 403
    assert (await client(role).get("/api/v1/keys")).json()["items"] == []


async def test_a_session_ends_with_the_key_that_it_began_with(client: Any) -> None:
    admin, browser = client("admin"), client(None)
    made = (await admin.post("/api/v1/keys", json={"name": "wall", "role": "viewer"})).json()
    await browser.post("/api/v1/session", json={"key": made["key"]})
    assert (await browser.get("/api/v1/me")).status_code == 200
    await admin.delete(f"/api/v1/keys/{made['id']}")
    assert (await browser.get("/api/v1/me")).status_code == 401
