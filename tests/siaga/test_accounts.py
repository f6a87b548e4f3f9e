"""`siaga users` and `siaga keys`: the first admin, from nothing; passwords from stdin, and no default."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import psycopg
import pytest

from storage import keys
from storage.passwords import fits

PASSWORD = "sungai-silau-2026"


def siaga(url: str, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SIAGA_DATABASE_URL": url}
    return subprocess.run(
        [sys.executable, "-m", "siaga", *words],
        input=said,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_first_admin(database_url: str) -> None:
    made = siaga(database_url, "users", "create", "sari", "--role", "admin", said=f"{PASSWORD}\n")
    assert made.returncode == 0, made.stderr
    with psycopg.connect(database_url) as conn:
        name, role, stored = conn.execute("SELECT name, role, password FROM app_user").fetchall()[0]
        assert (name, role) == ("sari", "admin")
        assert fits(PASSWORD, stored)[0]
        told = conn.execute("SELECT by, what, subject FROM audit").fetchall()
    assert told == [("command", "user.created", "sari")]
    assert siaga(database_url, "users", "create", "sari", "--role", "admin", said=f"{PASSWORD}\n").returncode == 1
    listed = siaga(database_url, "users", "list")
    assert "sari" in listed.stdout
    assert "argon2" not in listed.stdout


@pytest.mark.parametrize(
    ("words", "said", "why"),
    [
        (("--role", "admin"), "", "12 to"),
        (("--role", "admin"), "short\n", "12 to"),
        (("--role", "king"), f"{PASSWORD}\n", "king"),
        (("--role", "viewer", "--region", "Asahan"), f"{PASSWORD}\n", "Asahan"),
    ],
)
def test_what_is_wrong_is_said(database_url: str, words: tuple[str, ...], said: str, why: str) -> None:
    refused = siaga(database_url, "users", "create", "budi", *words, said=said)
    assert refused.returncode == 1
    assert why in refused.stderr
    assert "Traceback" not in refused.stderr


def test_there_is_no_user_before_one_is_made(database_url: str) -> None:
    """No default name, no default password."""
    assert json.loads(siaga(database_url, "users", "list", "--json").stdout) == []
    assert json.loads(siaga(database_url, "keys", "list", "--json").stdout) == []


async def test_a_key_is_made_listed_and_revoked(database_url: str) -> None:
    made = siaga(database_url, "keys", "create", "vendor", "--region", "12.09", "--days", "7")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
        who = await keys.who_has_key(conn, secret)
        assert who is not None
        assert (who.name, who.role, who.regions) == ("vendor", "viewer", ("12.09",))
        listed = siaga(database_url, "keys", "list")
        assert "vendor" in listed.stdout
        assert secret not in listed.stdout
        assert siaga(database_url, "keys", "revoke", str(who.key_id)).returncode == 0
        assert await keys.who_has_key(conn, secret) is None
    assert siaga(database_url, "keys", "revoke", "999").returncode == 1


def test_disabling_and_another_password(database_url: str) -> None:
    siaga(database_url, "users", "create", "sari", "--role", "viewer", said=f"{PASSWORD}\n")
    assert siaga(database_url, "users", "set-password", "sari", said="another-password-1\n").returncode == 0
    assert siaga(database_url, "users", "disable", "sari").returncode == 0
    assert siaga(database_url, "users", "disable", "nobody").returncode == 1
    with psycopg.connect(database_url) as conn:
        stored, disabled = conn.execute("SELECT password, disabled FROM app_user").fetchall()[0]
    assert fits("another-password-1", stored)[0]
    assert disabled
