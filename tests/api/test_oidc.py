"""Sign-in by an OpenID Connect provider: one of our own, on a port, that signs real tokens; and what it may not say."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from api import oidc
from runtime.settings import Settings
from tests.servers import free_port

CLIENT, SECRET = "siaga", "secret-of-the-client"
KEY, ANOTHER = (RSAKey.generate_key(2048, {"kid": name}) for name in ("one", "two"))


class Provider:
    """Tells who sari is. What it says can be made wrong."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.key = KEY
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {
            "preferred_username": "sari",
            "groups": ["siaga-ops", "staff"],
            "regions": ["12.09"],
        }
        self.asked: dict[str, dict[str, str]] = {}
        self.calls_itself = self.issuer
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/token", self.token, methods=["POST"]),
                Route("/keys", self.keys),
            ]
        )

    def agree(self, address: str) -> dict[str, str]:
        """Sari has signed in there: what the browser brings back."""
        told = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.asked)}"
        self.asked[code] = told
        return {"code": code, "state": told["state"]}

    async def discovery(self, request: Request) -> JSONResponse:
        paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse(
            {"issuer": self.calls_itself} | {name: f"{self.issuer}/{path}" for name, path in paths.items()}
        )

    async def keys(self, request: Request) -> JSONResponse:
        return JSONResponse(KeySet([KEY]).as_dict(private=False))

    async def token(self, request: Request) -> JSONResponse:
        form = await _form(request)
        asked = self.asked.pop(form["code"], None)  # good for once
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        )
        if (
            asked is None
            or request.headers["authorization"] != f"Basic {basic}"
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "4711", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
        } | self.claims  # fmt: skip
        header = {"alg": self.algorithm, "kid": self.key.kid}
        return JSONResponse({"id_token": jwt.encode(header, claims, self.key), "token_type": "Bearer"})


async def _form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    port = free_port()
    made = Provider(port)
    server = uvicorn.Server(uvicorn.Config(made.app, port=port, log_config=None, lifespan="off"))
    # Without its signal handlers, which are the test run's.
    serving = asyncio.create_task(server._serve())
    async with asyncio.timeout(30):
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    yield made
    server.should_exit = True
    await serving


@pytest.fixture
def settings(database_url: str, provider: Provider) -> Settings:
    return Settings(
        database_url=database_url, live_poll_s=0.05, oidc_issuer=provider.issuer, oidc_client_id=CLIENT,
        oidc_client_secret=SECRET, oidc_roles="siaga-ops=operator, siaga-view=viewer, siaga-admins=admin",
        oidc_region_claim="regions",
    )  # fmt: skip


async def sign_in(browser: httpx.AsyncClient, provider: Provider) -> httpx.Response:
    gone = await browser.get("/sign-in/oidc")
    assert gone.status_code == 303, gone.text
    return await browser.get("/sign-in/oidc/back", params=provider.agree(gone.headers["location"]))


async def test_who_the_provider_knows_is_signed_in(client: Any, provider: Provider, db: psycopg.Connection) -> None:
    browser = client(None)
    assert (await browser.get("/api/v1/session")).json()["oidc"] is True
    back = await sign_in(browser, provider)
    assert (back.status_code, back.headers["location"]) == (303, "/")
    me = (await browser.get("/api/v1/me")).json()
    assert (me["name"], me["role"], me["regions"]) == ("sari", "operator", ["12.09"])
    assert db.execute("SELECT name, subject FROM app_user").fetchone() == ("sari", f"{provider.issuer} 4711")
    assert "siaga_oidc" not in browser.cookies


async def test_what_the_provider_says_next_time_counts(client: Any, provider: Provider) -> None:
    await sign_in(client(None), provider)
    provider.claims |= {"preferred_username": "sari.dewi", "groups": ["siaga-view"], "regions": ["12.71"]}
    browser = client(None)
    await sign_in(browser, provider)
    me = (await browser.get("/api/v1/me")).json()
    # The name stays: it is in histories.
    assert (me["name"], me["role"], me["regions"]) == ("sari", "viewer", ["12.71"])


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"iss": "https://another.example"},
        {"nonce": "another"},
        {"exp": 1},
        {"groups": ["staff"]},
        {"groups": None},
        {"regions": []},
        {"regions": ["everywhere"]},
        {"preferred_username": None},
        {"preferred_username": "<b>"},
    ],
)
async def test_what_cannot_be_believed_lets_nobody_in(
    client: Any, provider: Provider, db: psycopg.Connection, claims: dict[str, Any]
) -> None:
    provider.claims |= claims
    browser = client(None)
    refused = await sign_in(browser, provider)
    assert refused.status_code == 401
    assert "Masuk tidak berhasil" in refused.text
    assert (await browser.get("/api/v1/me")).status_code == 401
    assert db.execute("SELECT count(*) FROM app_user").fetchone() == (0,)
    assert db.execute("SELECT what FROM audit").fetchall() == [("session.refused",)]


async def test_a_signature_of_somebody_else_is_none(client: Any, provider: Provider) -> None:
    provider.key = ANOTHER
    assert (await sign_in(client(None), provider)).status_code == 401


async def test_a_provider_with_another_name_is_another(client: Any, provider: Provider) -> None:
    provider.calls_itself = "https://another.example"
    assert (await client(None).get("/sign-in/oidc")).status_code == 401


async def test_a_link_made_by_somebody_else_signs_nobody_in(client: Any, provider: Provider) -> None:
    """Else who clicks it would work under the attacker's name."""
    attacker, victim = client(None), client(None)
    gone = await attacker.get("/sign-in/oidc")
    link = provider.agree(gone.headers["location"])
    assert (await victim.get("/sign-in/oidc/back", params=link)).status_code == 401
    await victim.get("/sign-in/oidc")
    assert (await victim.get("/sign-in/oidc/back", params=link)).status_code == 401


async def test_a_code_is_good_once(client: Any, provider: Provider) -> None:
    browser = client(None)
    gone = await browser.get("/sign-in/oidc")
    link, kept = provider.agree(gone.headers["location"]), browser.cookies["siaga_oidc"]
    assert (await browser.get("/sign-in/oidc/back", params=link)).status_code == 303
    again = client(None, cookies={"siaga_oidc": kept})
    assert (await again.get("/sign-in/oidc/back", params=link)).status_code == 401


async def test_a_name_that_somebody_has_here_is_not_taken_over(
    client: Any, provider: Provider, db: psycopg.Connection
) -> None:
    db.execute("INSERT INTO app_user (name, role) VALUES ('sari', 'admin')")
    assert (await sign_in(client(None), provider)).status_code == 401


async def test_who_is_disabled_here_stays_out(client: Any, provider: Provider, db: psycopg.Connection) -> None:
    await sign_in(client(None), provider)
    db.execute("UPDATE app_user SET disabled = true")
    assert (await sign_in(client(None), provider)).status_code == 401


async def test_the_highest_role_counts(settings: Settings) -> None:
    claims = {
        "iss": "i",
        "sub": "s",
        "preferred_username": "a",
        "groups": ["siaga-admins", "siaga-view"],
        "regions": "12.09",
    }
    assert oidc.person_of(settings, claims) == ("a", "admin", ["12.09"], "i s")


@pytest.mark.parametrize("issuer", ["http://sso.example", "sso.example", "ftp://sso.example"])
def test_a_provider_without_tls_is_refused(issuer: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Settings(oidc_issuer=issuer)
