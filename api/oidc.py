"""Sign-in by an OpenID Connect provider: authorization code with PKCE, state, nonce; the token's signature is checked.

Where the provider answers is read from its discovery document each time: sign-ins are rare, and keys change.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import httpx
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from runtime.settings import Settings
from storage.keys import ROLES

DISCOVERY = "/.well-known/openid-configuration"
# Signatures that only the provider can make: with a shared secret we could have made them ourselves.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
TIMEOUT_S = 10.0
LEEWAY_S = 60


class OidcError(Exception):
    """The provider lets nobody in, or says what cannot be believed; the message is for the log."""


class Kept(NamedTuple):
    """What the browser keeps between going and coming back: all random, none of it is told to anybody else."""

    state: str
    nonce: str
    verifier: str


class Person(NamedTuple):
    """Whom the provider has seen. subject: issuer and sub, which never change; regions None: all."""

    name: str
    role: str
    regions: Sequence[str] | None
    subject: str


def new_kept() -> Kept:
    return Kept(*(secrets.token_urlsafe(32) for _ in Kept._fields))


async def address(settings: Settings, redirect_uri: str, kept: Kept) -> str:
    """Where to send the browser. Raises OidcError."""
    async with _client() as client:
        found = await _discover(client, settings)
    parameters = {
        "response_type": "code", "client_id": settings.oidc_client_id, "redirect_uri": redirect_uri,
        "scope": settings.oidc_scope, "state": kept.state, "nonce": kept.nonce,
        "code_challenge": create_s256_code_challenge(kept.verifier), "code_challenge_method": "S256",
    }  # fmt: skip
    made: str = add_params_to_uri(found["authorization_endpoint"], list(parameters.items()))
    return made


async def person(settings: Settings, redirect_uri: str, code: str, kept: Kept) -> Person:
    """Whom this code is for. Raises OidcError."""
    async with _client() as client:
        found = await _discover(client, settings)
        token = await _redeem(client, settings, found, redirect_uri, code, kept)
        keys = await _get(client, found["jwks_uri"])
    return person_of(settings, _claims(settings, token, keys, kept))


def person_of(settings: Settings, claims: Mapping[str, Any]) -> Person:
    """Name, role and regions by the claims that settings name. Raises OidcError where they give nothing."""
    name, groups = claims.get(settings.oidc_name_claim), _texts(claims.get(settings.oidc_role_claim))
    roles = [role for role in ROLES if any(settings.oidc_role_of.get(group) == role for group in groups)]
    if not isinstance(name, str) or not name:
        raise OidcError(f"{settings.oidc_name_claim} is no name")
    if not roles:
        raise OidcError(f"{name} has no role: nothing in {settings.oidc_role_claim} is in SIAGA_OIDC_ROLES")
    regions = None
    if settings.oidc_region_claim is not None:
        regions = _texts(claims.get(settings.oidc_region_claim))
        if not regions:
            raise OidcError(f"{name} has no region in {settings.oidc_region_claim}")
    return Person(name, roles[-1], regions, f"{claims['iss']} {claims['sub']}")


async def _discover(client: httpx.AsyncClient, settings: Settings) -> dict[str, Any]:
    issuer = settings.oidc_issuer or ""
    found = await _get(client, issuer.rstrip("/") + DISCOVERY)
    if found.get("issuer") != issuer:
        raise OidcError(f"the provider calls itself {found.get('issuer')!r}, not {issuer!r} (SIAGA_OIDC_ISSUER)")
    if missing := {"authorization_endpoint", "token_endpoint", "jwks_uri"} - found.keys():
        raise OidcError(f"the provider does not say its {', '.join(sorted(missing))}")
    return dict(found)


async def _redeem(
    client: httpx.AsyncClient, settings: Settings, found: Mapping[str, Any], redirect_uri: str, code: str, kept: Kept
) -> str:
    """The ID token for a code."""
    secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else ""
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": kept.verifier,
    }  # fmt: skip
    ways = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    auth = httpx.BasicAuth(settings.oidc_client_id or "", secret) if "client_secret_basic" in ways else None
    if auth is None:
        form |= {"client_id": settings.oidc_client_id or "", "client_secret": secret}
    try:
        answer = await client.post(found["token_endpoint"], data=form, auth=auth or httpx.Auth())
        token = answer.raise_for_status().json().get("id_token")
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        raise OidcError(f"the provider gives no token: {error}") from None
    if not isinstance(token, str):
        raise OidcError("the provider gives no ID token; is openid in SIAGA_OIDC_SCOPE?")
    return token


def _claims(settings: Settings, token: str, keys: Any, kept: Kept) -> Mapping[str, Any]:
    """What the ID token says, once its signature, issuer, audience, time and nonce are right."""
    try:
        decoded = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)
        options = {
            "iss": {"essential": True, "value": settings.oidc_issuer},
            "aud": {"essential": True, "value": settings.oidc_client_id},
            "nonce": {"essential": True, "value": kept.nonce},
        }
        parameters = {"nonce": kept.nonce, "client_id": settings.oidc_client_id}
        CodeIDToken(decoded.claims, decoded.header, options, parameters).validate(leeway=LEEWAY_S)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise OidcError(f"the ID token cannot be believed: {error!r}") from None
    claims: Mapping[str, Any] = decoded.claims
    return claims


async def _get(client: httpx.AsyncClient, url: str) -> Any:
    try:
        return (await client.get(url)).raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise OidcError(f"the provider does not answer at {url}: {error}") from None


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)


def _texts(value: Any) -> list[str]:
    """A claim that is a text or several."""
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, str)]
