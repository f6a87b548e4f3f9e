"""Credentials from the command line: of a fleet at once, and never a password twice."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from devices.identity import SHARED, secret
from siaga.cli import app
from storage import checkup, credentials
from storage.connect import connect_async

KEY = "a key of 32 characters and more, for tests"
FLEET = "id,kind,region,gateway\n" + "".join(f"lamp-{n},streetlight,12.09,gw-{n % 2}\n" for n in range(6))


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SIAGA_DATABASE_URL", database_url)
    monkeypatch.setenv("SIAGA_DEVICE_KEY", KEY)
    fleet = tmp_path / "fleet.csv"
    fleet.write_text(FLEET)

    def command(*words: str) -> Result:
        return CliRunner().invoke(app, ["devices", *words])

    assert command("import", str(fleet)).exit_code == 0
    return command


def test_a_fleet_in_one_go(run: Any, tmp_path: Path, database_url: str) -> None:
    out = tmp_path / "secrets.csv"
    done = run("provision", "--csv", str(tmp_path / "fleet.csv"), "--out", str(out))
    assert "6 made, 0 had one" in done.output
    assert out.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["id"] for row in rows] == [row["username"] for row in rows] == [f"lamp-{n}" for n in range(6)]
    assert rows[0]["password"] == secret(KEY.encode(), "lamp-0", 1)
    again = run("provision", "--csv", str(tmp_path / "fleet.csv"))
    assert "0 made, 6 had one" in again.output
    # Nothing is written over, and nothing is made for which there is no place.
    assert "File exists" in run("provision", "gw-1", "--out", str(out)).output
    listed = run("credentials").output
    assert "lamp-5" in listed
    assert "gw-1" not in listed
    assert rows[0]["password"] not in listed
    with psycopg.connect(database_url) as conn:
        lines = conn.execute("SELECT what, by, details FROM audit WHERE starts_with(what, 'credential')").fetchall()
    ((what, by, details),) = lines
    assert (what, by, details["rows"]) == ("credential.issued", "command", 6)


def test_rotate_and_revoke_are_all_or_nothing(run: Any) -> None:
    assert run("provision", "lamp-0", "lamp-1").exit_code == 0
    rotated = run("rotate", "lamp-0")
    assert rotated.output.split() == ["lamp-0", secret(KEY.encode(), "lamp-0", 2)]
    for command in ("rotate", "revoke"):
        refused = run(command, "lamp-0", "lamp-2")
        assert refused.exit_code == 1
        assert "lamp-2: no credential" in refused.output
    assert '"generation": 2' in run("credentials", "--json").output
    assert run("revoke", "lamp-0", "lamp-1").exit_code == 0
    assert "lamp-0" not in run("credentials", "--state", "active").output


def test_those_of_retired_devices_are_told_of_and_end_together(run: Any, database_url: str) -> None:
    """A gateway keeps its own for as long as one of its devices is in service."""

    def retire(*devices: str) -> int:
        with psycopg.connect(database_url, autocommit=True) as conn:
            conn.execute("UPDATE device SET status = 'retired' WHERE id = ANY (%s)", (list(devices),))
            return checkup.credentials(conn, 21).retired

    assert run("provision", "lamp-0", "lamp-1", "gw-1").exit_code == 0
    assert retire("lamp-2") == 0
    assert retire("lamp-0", "lamp-1", "lamp-3") == 2
    assert run("revoke", "--retired").output.strip() == "lamp-0, lamp-1: revoked"
    assert run("revoke", "--retired").output.strip() == "none that is retired may connect"
    assert retire("lamp-5") == 1
    assert run("revoke", "--retired").output.strip() == "gw-1: revoked"
    assert "name devices, or --retired" in run("revoke").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lamp-0", "nobody"), "nobody: no device, nor a gateway"),
        (("a b",), "1 to 64 letters"),
        (("lns", "--topic", "siaga/v1/#"), "not under siaga/"),
        ((), "name devices, or --csv"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_done(run: Any, words: tuple[str, ...], said: str) -> None:
    refused = run("provision", *words)
    assert refused.exit_code != 0
    assert said in refused.output
    assert "lamp-0" not in run("credentials").output


def test_without_a_key_the_setting_is_named(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIAGA_DEVICE_KEY")
    assert "SIAGA_DEVICE_KEY is not set" in run("provision", "lamp-0").output


def test_what_the_broker_should_be(run: Any, database_url: str) -> None:
    """Gateways speak for theirs, integrations for their topics, who shares for who has none; who is over is gone."""
    for words in (("gw-1",), ("lamp-0",), ("lns", "--topic", "application/#"), ("--shared",), ("lamp-2",)):
        assert run("provision", *words).exit_code == 0
    assert run("revoke", "lamp-2").exit_code == 0

    async def look() -> None:
        async with await connect_async(database_url, "test") as conn:
            await _look(conn)

    asyncio.run(look())


async def _look(conn: credentials.Conn) -> None:
    before = await credentials.revision(conn)
    closed = {each.name: each for each in await credentials.wanted(conn, "closed")}
    assert closed.keys() == {"gw-1", "lamp-0", "lns"}
    assert {topic.split("/")[3] for topic in closed["gw-1"].rights.publish} == {"lamp-1", "lamp-3", "lamp-5"}
    assert (closed["gw-1"].is_bound, closed["lns"].is_bound) == (True, False)
    assert closed["lns"].rights.publish == ("application/#",)
    registered = {each.name: each.rights for each in await credentials.wanted(conn, "registered")}
    # lamp-1, 3 and 5 have their gateway, and lamp-2 has had one of its own.
    assert {topic.split("/")[3] for topic in registered[SHARED].publish} == {"lamp-4"}
    claim = {each.name: each.rights for each in await credentials.wanted(conn, "claim")}
    assert {topic.split("/")[3] for topic in claim[SHARED].denied} == {f"lamp-{n}" for n in (0, 1, 2, 3, 5)}
    assert await credentials.revision(conn) == before
    await conn.execute("UPDATE credential SET expires_at = now() - interval '1 s' WHERE name = 'lamp-0'")
    assert await credentials.revision(conn) != before
    assert "lamp-0" not in {each.name for each in await credentials.wanted(conn, "closed")}
