"""Who gets in, and that nothing is reachable by omission."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from api.auth import Endpoint, Endpoints
from storage import keys

PUBLIC = {
    "/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs", "/problems", "/problems/{name}",
    "/sign-in", "/", "/assets/{path:path}", "/vendor/{path:path}", "/api/v1/session", "/sign-in/oidc",
    "/sign-in/oidc/back",
}  # fmt: skip


def concrete(path: str) -> str:
    """An address that a route answers to."""
    filled = path.replace("{kind}", "traffic").replace("{alert_id}", "1").replace("{action}", "claim")
    return re.sub(r"\{[^}]+\}", "x", filled)


def test_every_route_declares_a_role(app: Any) -> None:
    assert len(app.routes) > 20
    for route in app.routes:
        assert isinstance(route, Endpoint), f"{route} is not an Endpoint: nobody is kept from it"
        assert route.role in ("viewer", "operator", "engineer", "admin", "anyone")


def test_endpoint_without_a_role_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="role"):
        Endpoints().get("/x")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="role"):
        Endpoint("/x", lambda: None)  # type: ignore[call-arg]


def test_only_these_are_public(app: Any) -> None:
    pages = {route.path for route in app.routes if route.name == "show_page"}
    public = {route.path for route in app.routes if route.role == "anyone"} - pages
    assert public <= PUBLIC
    assert all(not path.startswith("/api") for path in pages)


def test_no_address_of_a_request_is_fetched() -> None:
    """Only one file of the API speaks to other servers, and only to those that settings name."""
    api = Path(__file__).resolve().parents[2] / "api"
    clients = re.compile(r"^\s*(import|from) (httpx|requests|urllib\.request|aiohttp|socket)\b", re.MULTILINE)
    found = {path.name for path in api.rglob("*.py") if clients.search(path.read_text(encoding="utf-8"))}
    assert found == {"oidc.py", "main.py"}  # main.py listens


async def test_no_key_is_401_everywhere(app: Any, client: Any) -> None:
    nobody = client(None)
    for route in app.routes:
        if route.role == "anyone":
            continue
        for method in route.methods:
            answer = await nobody.request(method, concrete(route.path), content=b"{ not json")
            assert answer.status_code == 401, f"{method} {route.path}"
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Bearer", "Basic a2V5", "key-of-the-viewer", "Bearer \xff"])
async def test_wrong_key_is_401(client: Any, authorization: str) -> None:
    answer = await client(None).get("/api/v1/me", headers={"Authorization": authorization.encode("latin-1")})
    assert answer.status_code == 401


async def test_expired_key_is_401(client: Any, db: psycopg.Connection) -> None:
    db.execute("UPDATE api_key SET expires_at = now() - interval '1 s' WHERE role = 'viewer'")
    assert (await client("viewer").get("/api/v1/me")).status_code == 401


async def test_each_role_may_do_what_those_before_it_may(client: Any, town: Any) -> None:
    allowed: dict[str, list[bool]] = {}
    for role in ("viewer", "operator", "engineer", "admin"):
        town.device(f"lamp-{role}")
        alert = town.alert(f"lamp-{role}")
        calls = [
            ("GET", "/api/v1/devices", b"", {}),
            ("POST", f"/api/v1/alerts/{alert}/ack", b"{}", {"If-Match": "*", "Content-Type": "application/json"}),
            ("POST", "/api/v1/devices/import", b"id,kind\nlamp-9,streetlight\n", {"Content-Type": "text/csv"}),
        ]
        allowed[role] = []
        for method, path, body, headers in calls:
            answer = await client(role).request(method, path, content=body, headers=headers)
            assert answer.status_code in (200, 403)
            allowed[role].append(answer.status_code == 200)
    assert allowed == {
        "viewer": [True, False, False],
        "operator": [True, True, False],
        "engineer": [True, True, True],
        "admin": [True, True, True],
    }


async def test_refusal_names_the_role(viewer: httpx.AsyncClient) -> None:
    problem = (await viewer.post("/api/v1/devices/import", content=b"")).json()
    assert problem["status"] == 403
    assert "engineer" in problem["detail"]
    assert "viewer" in problem["detail"]


async def test_sign_in_with_a_key(client: Any) -> None:
    browser = client(None)
    assert (await browser.post("/api/v1/session", json={"key": "wrong"})).status_code == 401
    answer = await browser.post("/api/v1/session", json={"key": "key-of-the-operator"})
    assert answer.status_code == 200
    assert answer.json() == {"name": "a operator", "role": "operator", "regions": None}
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert (await browser.get("/api/v1/me")).json()["role"] == "operator"


async def test_cookie_is_secure_over_https(app: Any, client: Any) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://siaga") as browser:
        answer = await browser.post("/api/v1/session", json={"key": "key-of-the-viewer"})
    assert "secure" in answer.headers["set-cookie"].lower()


async def test_cookie_alone_changes_nothing(client: Any, town: Any) -> None:
    town.device("lamp-1")
    alert = town.alert("lamp-1")
    browser = client(None)
    await browser.post("/api/v1/session", json={"key": "key-of-the-operator"})
    refused = await browser.post(f"/api/v1/alerts/{alert}/ack", headers={"If-Match": "*"})
    assert refused.status_code == 403
    assert "X-Siaga" in refused.json()["detail"]
    accepted = await browser.post(f"/api/v1/alerts/{alert}/ack", headers={"If-Match": "*", "X-Siaga": "1"})
    assert accepted.status_code == 200


async def test_signing_out_ends_the_session(client: Any) -> None:
    browser = client(None)
    signed_in = await browser.post("/api/v1/session", json={"key": "key-of-the-viewer"})
    stolen = signed_in.cookies["siaga_session"]
    assert (await browser.delete("/api/v1/session", headers={"X-Siaga": "1"})).status_code == 204
    assert "siaga_session" not in browser.cookies
    thief = client(None, cookies={"siaga_session": stolen})
    assert (await thief.get("/api/v1/me")).status_code == 401


async def test_expired_session_is_401(client: Any, db: psycopg.Connection) -> None:
    browser = client(None)
    await browser.post("/api/v1/session", json={"key": "key-of-the-viewer"})
    db.execute("UPDATE session SET expires_at = now() - interval '1 s'")
    assert (await browser.get("/api/v1/me")).status_code == 401


async def test_sign_in_link_works_once(client: Any, db: psycopg.Connection) -> None:
    token = keys.create_sign_in_token(db)
    first, second = client(None), client(None)
    answer = await first.get("/sign-in", params={"token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await first.get("/api/v1/me")).json()["role"] == "admin"
    again = await second.get("/sign-in", params={"token": token})
    assert again.status_code == 401
    assert again.headers["content-type"].startswith("text/html")
    assert "satu kali" in again.text
    assert "works once" in again.text
    assert "style" not in again.text
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize("query", ["", "?token=", "?token=x"])
async def test_sign_in_link_that_is_none(client: Any, query: str) -> None:
    assert (await client(None).get(f"/sign-in{query}")).status_code == 401


async def test_old_sign_in_link_is_refused(client: Any, db: psycopg.Connection) -> None:
    token = keys.create_sign_in_token(db, valid_s=timedelta(seconds=-1).total_seconds())
    assert (await client(None).get("/sign-in", params={"token": token})).status_code == 401
