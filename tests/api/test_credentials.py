"""Credentials of devices over the API."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from devices.identity import secret
from runtime.settings import Settings
from storage import credentials

LAMP = "/api/v1/devices/lamp/credential"


@pytest.fixture
def engineer(client: Any, town: Any) -> httpx.AsyncClient:
    town.device("lamp", attributes={"gateway": "gw-1"})
    made: httpx.AsyncClient = client("engineer")
    return made


async def test_a_password_is_shown_once_and_stored_nowhere(
    engineer: httpx.AsyncClient, db: psycopg.Connection, settings: Settings
) -> None:
    made = await engineer.post(LAMP, json={"days": 30})
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    told = made.json()
    assert settings.device_key
    assert told["password"] == secret(settings.device_key.get_secret_value().encode(), "lamp", 1)
    assert (told["state"], told["generation"], told["devices"]) == ("active", 1, ["lamp"])
    assert told["expires_at"] > told["created_at"]
    shown = (await engineer.get(LAMP)).json()
    assert shown == {name: value for name, value in told.items() if name != "password"}
    for table in ("credential", "audit"):
        assert told["password"] not in str(db.execute(f"SELECT * FROM {table}".encode()).fetchall())


async def test_it_is_rotated_and_revoked_and_made_again(engineer: httpx.AsyncClient) -> None:
    passwords = [(await engineer.post(LAMP)).json()["password"]]
    again = await engineer.post(LAMP)
    assert (again.status_code, again.json()["current"]["generation"]) == (409, 1)
    passwords.append((await engineer.post(f"{LAMP}/rotate")).json()["password"])
    gone = await engineer.delete(LAMP)
    assert (gone.status_code, gone.json()["state"]) == (200, "revoked")
    assert (await engineer.delete(LAMP)).status_code == 404
    assert (await engineer.post(f"{LAMP}/rotate")).status_code == 409
    passwords.append((await engineer.post(LAMP)).json()["password"])
    assert len(set(passwords)) == 3
    assert (await engineer.get(LAMP)).json()["generation"] == 3


async def test_a_gateway_publishes_for_the_devices_that_name_it(engineer: httpx.AsyncClient) -> None:
    made = await engineer.post("/api/v1/devices/gw-1/credential")
    assert (made.status_code, made.json()["devices"]) == (201, ["lamp"])
    assert (await engineer.post("/api/v1/devices/gw-2/credential")).status_code == 404


async def test_a_device_with_a_certificate_has_no_password(engineer: httpx.AsyncClient) -> None:
    made = await engineer.post(LAMP, json={"mode": "certificate"})
    assert (made.status_code, made.json()["password"]) == (201, None)


async def test_of_two_that_issue_at_once_one_is_refused(
    engineer: httpx.AsyncClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else is quicker while the password is being hashed."""
    assert (await engineer.post(LAMP)).status_code == 201
    usual = credentials.hashed
    quick: list[str] = []

    def slow(password: str) -> str:
        if not quick:
            quick.append(password)
            with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as conn:  # type: ignore[union-attr]
                conn.execute("UPDATE credential SET generation = generation + 1")
        return usual(password)

    monkeypatch.setattr(credentials, "hashed", slow)
    refused = await engineer.post(f"{LAMP}/rotate")
    assert (refused.status_code, refused.json()["current"]["generation"]) == (409, 2)


class TestWithoutAKey:
    @pytest.fixture
    def settings(self, database_url: str) -> Settings:
        return Settings(database_url=database_url, page_max=1000)

    async def test_it_is_said_what_is_missing(self, engineer: httpx.AsyncClient) -> None:
        refused = await engineer.post(LAMP)
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/not-set-up")
        assert "SIAGA_DEVICE_KEY is not set" in refused.json()["detail"]
