"""The `siaga` command as an operator types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
import typer.main
from click.testing import Result
from typer.testing import CliRunner

from devices import asyncapi
from devices.kinds import KINDS
from runtime.settings import PREFIX, Settings
from siaga.cli import app

ROOT = Path(__file__).resolve().parents[2]
GOOD = """id,kind,name,region,district,lat,lon,nominal_w,siaga_3_m
lamp-1,streetlight,Jl. Imam Bonjol 1,12.09,12.09.19,2.98,99.61,90,
lamp-2,streetlight,,12.09,12.09.20,,,,
wl-1,water_level,"Silau, Buntu Pane",12.09,12.09.14,2.9,99.5,,2.5
"""
Siaga = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture
def siaga() -> Siaga:
    runner = CliRunner()

    def call(*arguments: object, code: int = 0, **env: str) -> Result:
        done = runner.invoke(app, [str(word) for word in arguments], env=env, prog_name="siaga")
        assert done.exit_code == code, done.output
        return done

    return call


@pytest.fixture
def with_database(siaga: Siaga, database_url: str) -> Siaga:
    return lambda *arguments, **options: siaga(*arguments, SIAGA_DATABASE_URL=database_url, **options)


@pytest.fixture
def db(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield conn


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "fleet.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, (*path, name))


COMMANDS = list(commands(typer.main.get_command(app)))


def test_commands_are_these() -> None:
    names = {" ".join(path) for path in COMMANDS}
    assert {
        "up", "migrate", "ingest", "worker", "api", "simulate", "settings", "devices", "devices import",
        "devices list", "devices show",
    } <= names  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_of_every_command(siaga: Siaga, path: tuple[str, ...]) -> None:
    said = siaga(*path, "--help").output
    assert "Usage: siaga" in said
    assert " ".join(path) in said
    # What it does, in a sentence.
    assert any(line.strip().endswith((".", ":")) and len(line.split()) > 3 for line in said.splitlines()), said


def test_help_is_quick_to_import() -> None:
    """`siaga --help` and wrong options must not wait for NumPy, FastAPI and the rest."""
    code = "import sys, siaga.cli; print([m for m in ('numpy', 'fastapi', 'psycopg', 'alembic') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_the_command_itself(tmp_path: Path) -> None:
    """Once as a process: exit code, and complaints on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "siaga", "devices", "list"],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("siaga: SIAGA_DATABASE_URL is not set.")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["migrate"], ["devices", "list"], ["devices", "show", "x"], ["api"], ["worker"]])
def test_without_a_database_it_says_what_to_set(siaga: Siaga, words: list[str]) -> None:
    said = siaga(*words, code=1).stderr
    assert "SIAGA_DATABASE_URL is not set" in said
    assert "siaga up" in said


@pytest.mark.parametrize("words", [["migrate"], ["devices", "list"]])
def test_a_database_that_is_not_there(siaga: Siaga, unused_tcp_port: int, words: list[str]) -> None:
    url = f"postgresql://siaga:hush@127.0.0.1:{unused_tcp_port}/siaga"
    said = siaga(*words, code=1, SIAGA_DATABASE_URL=url).stderr
    assert said.startswith("siaga: ")
    assert str(unused_tcp_port) in said
    assert "hush" not in said


def test_settings_lists_every_one(siaga: Siaga) -> None:
    said = siaga("settings", SIAGA_API_PORT="8123", SIAGA_DATABASE_URL="postgresql://siaga:hush@db/siaga").output
    lines = {line.split()[0]: line for line in said.splitlines()}
    for name in Settings.model_fields:
        assert f"{PREFIX}{name.upper()}" in lines
    assert lines["SIAGA_API_PORT"].split()[:4] == ["SIAGA_API_PORT", "8123", "port", "8800"]
    assert lines["SIAGA_DATABASE_URL"].split()[1] == "***"
    assert "hush" not in said


def test_settings_as_json(siaga: Siaga) -> None:
    hidden = {
        "SIAGA_DATABASE_URL": "postgresql://siaga:hush@db/siaga",
        "SIAGA_MQTT_URL": "mqtt://siaga:hush@broker",
        "SIAGA_API_KEY": "hush",
        "SIAGA_NOTIFY_URLS": "tgram://hush/1",
    }
    said = siaga("settings", "--json", **hidden).output
    listed: dict[str, dict[str, Any]] = {line["env"]: line for line in json.loads(said)}
    assert len(listed) == len(Settings.model_fields)
    assert "hush" not in said
    for name in hidden:
        assert listed[name]["value"] == "***"
    for line in listed.values():
        assert line["unit"]
        assert line["text"]
    assert listed["SIAGA_REGION"]["value"] == "12.09"


def test_a_wrong_setting_is_named_with_its_limit(siaga: Siaga) -> None:
    said = siaga("settings", code=1, SIAGA_API_PORT="70000", SIAGA_TIME_ZONE="Asia/Kisaran").stderr
    assert "SIAGA_API_PORT" in said
    assert "65535" in said
    assert "Asia/Kisaran" in said
    assert "Traceback" not in said


def test_migrate_twice(siaga: Siaga, empty_database_url: str) -> None:
    first = siaga("migrate", SIAGA_DATABASE_URL=empty_database_url).output
    assert "created table reading_streetlight" in first
    again = siaga("migrate", SIAGA_DATABASE_URL=empty_database_url).output
    assert "created" not in again
    assert "migrated" not in again
    assert again.splitlines()[-1] == "schema is up to date"


def test_import_then_list_and_show(with_database: Siaga, tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    assert with_database("devices", "import", file).output == "added 3, updated 0, unchanged 0, skipped 0\n"
    assert with_database("devices", "import", file).output == "added 0, updated 0, unchanged 3, skipped 0\n"
    write(tmp_path, GOOD.replace("2.98", "2.99").encode("utf-8-sig"))
    assert with_database("devices", "import", file).output == "added 0, updated 1, unchanged 2, skipped 0\n"

    table = with_database("devices", "list").output.splitlines()
    assert [line.split()[0] for line in table] == ["id", "lamp-1", "lamp-2", "wl-1"]
    assert "Silau, Buntu Pane" in table[-1]
    assert [d["id"] for d in json.loads(with_database("devices", "list", "--json").output)] == [
        "lamp-1",
        "lamp-2",
        "wl-1",
    ]
    some = with_database("devices", "list", "--json", "--kind", "streetlight", "--district", "12.09.20").output
    assert [d["id"] for d in json.loads(some)] == ["lamp-2"]
    shown = json.loads(with_database("devices", "show", "wl-1").output)
    assert (shown["kind"], shown["lat"], shown["attributes"]["siaga_3_m"]) == ("water_level", 2.9, 2.5)


def test_import_of_bad_rows_is_all_or_nothing(with_database: Siaga, tmp_path: Path, db: psycopg.Connection) -> None:
    file = write(
        tmp_path, GOOD + "lamp 3,streetlight,,,,,,,\nlamp-4,submarine,,,,,,,\nlamp-5,streetlight,,,,north,,,\n"
    )
    said = with_database("devices", "import", file, code=1).stderr
    assert "row 5, id: " in said
    assert "row 6, kind: " in said
    assert "row 7, lat: " in said
    assert "3 of 6 rows are bad; nothing was imported" in said
    assert db.execute("SELECT count(*) FROM device").fetchone() == (0,)

    done = with_database("devices", "import", file, "--skip-bad")
    assert done.stdout == "added 3, updated 0, unchanged 0, skipped 3\n"
    assert "row 6, kind: " in done.stderr
    assert db.execute("SELECT count(*) FROM device").fetchone() == (3,)


def test_many_errors_are_counted_not_all_listed(with_database: Siaga, tmp_path: Path) -> None:
    file = write(tmp_path, "id,kind\n" + "".join(f"lamp-{i},submarine\n" for i in range(50)))
    said = with_database("devices", "import", file, code=1).stderr
    assert said.count("row ") == 20
    assert "… and 30 more" in said
    assert "50 of 50 rows are bad" in said
    assert "nothing was imported" in with_database("devices", "import", file, "--skip-bad", code=1).stderr


def test_a_device_keeps_its_kind(with_database: Siaga, tmp_path: Path, db: psycopg.Connection) -> None:
    with_database("devices", "import", write(tmp_path, "id,kind\nlamp-1,streetlight\n"))
    said = with_database(
        "devices", "import", write(tmp_path, "id,kind\nnew-1,traffic\nlamp-1,traffic\n"), code=1
    ).stderr
    assert "nothing was imported" in said
    assert "'lamp-1' is registered as streetlight" in said
    assert db.execute("SELECT id FROM device").fetchall() == [("lamp-1",)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "row 1, id: "),
        (b"name,lat\nx,1\n", "row 1, kind: "),
        (b"id,kind\n\xff\xfe,streetlight\n", "cannot be read"),
        (b'id,kind\n"' + b"x" * 200_000, "field larger than field limit"),
        (b"id,kind,name\nlamp-1,streetlight,a\x00b\n", "siaga: "),
        (b"id,kind\nlamp-1,streetlight\nlamp-1,streetlight\n", "already in row 2"),
    ],
)
def test_what_is_no_fleet_file(
    with_database: Siaga, tmp_path: Path, db: psycopg.Connection, content: bytes, says: str
) -> None:
    done = with_database("devices", "import", write(tmp_path, content), code=1)
    assert says in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert db.execute("SELECT count(*) FROM device").fetchone() == (0,)


def test_a_file_that_is_not_there(with_database: Siaga, tmp_path: Path) -> None:
    for file in (tmp_path / "none.csv", tmp_path):
        done = with_database("devices", "import", file, code=1)
        assert f"{file} cannot be read" in done.stderr
        assert isinstance(done.exception, SystemExit)


def test_a_device_that_is_not_there(with_database: Siaga) -> None:
    said = with_database("devices", "show", "nobody", code=1).stderr
    assert "'nobody'" in said
    assert "siaga devices list" in said


def test_before_migrate_it_is_said(siaga: Siaga, empty_database_url: str) -> None:
    done = siaga("devices", "list", code=1, SIAGA_DATABASE_URL=empty_database_url)
    assert "siaga migrate" in done.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--api-port", "70000"), ("--mqtt-port", "-1"), ("--devices", "0"), ("--seed", "x")]
)
def test_options_of_up_have_limits(siaga: Siaga, tmp_path: Path, option: str, value: str) -> None:
    done = siaga("up", "--data", tmp_path / "data", option, value, code=2)
    assert option in done.stderr
    assert not (tmp_path / "data").exists()


def test_asyncapi_is_what_the_api_serves(siaga: Siaga, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIAGA_ARRAY_MAX", "12")
    printed = json.loads(siaga("asyncapi").output)
    assert printed == asyncapi.document(KINDS.values(), asyncapi.Limits(12, Settings().payload_max_bytes))
    assert printed["channels"]["readings"]["address"] == "siaga/v1/{region}/{device_id}/readings"
