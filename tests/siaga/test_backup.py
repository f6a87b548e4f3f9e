"""What `siaga backup` writes comes back with `siaga restore`, to the last byte; and what does not fit is refused."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from siaga.backup import file, fit, programs
from siaga.backup.file import BackupError, Manifest
from siaga.backup.make import backup
from siaga.backup.restore import restore
from siaga.cli import app
from storage import backup as database
from storage import keys
from storage.flavour import Flavour
from storage.migrate import migrate, newest_revision
from tests.servers import Postgres, Timescale
from tests.storage.rolled import drain
from tests.storage.world import COUNTER, GAUGE, LAMP, NOW, World, minutes, packet

READING = "INSERT INTO reading_traffic (device_id, ts, received_at, qc, qc_reason) VALUES ('x', %s, now(), 1, 0)"
CONTENT = """
SELECT count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C"), '')) FROM {} t
"""
CHUNKS = "SELECT hypertable_name, num_chunks FROM timescaledb_information.hypertables"
OLD = NOW - timedelta(days=400)


def silent(line: str) -> None:
    """Says nothing."""


def contents(url: str) -> dict[str, tuple[int, str]]:
    """Rows of every table, and a checksum of all that is in them."""
    found = {}
    with psycopg.connect(url) as conn:
        conn.execute("SET timezone = 'UTC'")
        for schema, table in database.tables(conn):
            row = conn.execute(sql.SQL(CONTENT).format(sql.Identifier(schema, table))).fetchone()
            assert row is not None
            found[f"{schema}.{table}"] = row
    return found


async def fill(url: str) -> None:
    """Readings of all kinds, new and old, with what comes of them: rollups, alerts, quarantine, ledger, keys."""
    world = await World.make(url, LAMP, GAUGE, COUNTER)
    await world.send(
        [
            packet(GAUGE.id, *({"ts": NOW - minutes(20 + i), "level_m": 1.9, "seq": i} for i in range(1, 50))),
            packet(GAUGE.id, {"ts": NOW, "level_m": 2.7}),
            packet(GAUGE.id, {"ts": NOW, "level_m": 2.8}),
            packet(LAMP.id, {"ts": OLD, "power_w": 5, "fw": "1.0 \\ \t 'é'"}, {"ts": NOW, "voltage_v": 230}),
            packet(COUNTER.id, {"ts": NOW, "period_s": 300, "count": 12, "speed_kmh": 41.5}),
            packet("nobody", {"ts": NOW}),
        ]
    )
    await drain(world.conn)
    await world.ground.close()
    with psycopg.connect(url) as conn:
        keys.ensure_admin_key(conn, "only-in-tests")


async def goes_on(url: str) -> None:
    """Ingest takes the next reading there, and knows those from before."""
    world = await World.make(url)
    sent = [packet(GAUGE.id, {"ts": NOW, "level_m": 2.7}), packet(GAUGE.id, {"ts": NOW + minutes(1), "level_m": 2.71})]
    written = await world.send(sent, NOW + minutes(1))
    assert (written.counts["stored"], written.counts["duplicate"]) == (1, 1)
    assert written.transitions == []  # the alert is known to be open
    await world.ground.close()


def admin(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(statement.encode())


async def test_all_of_it_comes_back(database_url: str, empty_database_url: str, tmp_path: Path) -> None:
    await fill(database_url)
    before = contents(database_url)
    assert all(before[f"public.reading_{kind}"][0] for kind in ("streetlight", "water_level", "traffic"))
    assert all(before[f"public.{name}"][0] for name in ("alert", "transition", "quarantine", "rollup_traffic_1d"))

    def meanwhile(line: str) -> None:
        """Ingest goes on while it is written: what it stores then is in no part of it."""
        if line.startswith("dumping"):
            with psycopg.connect(database_url) as conn:
                conn.execute(READING, (NOW,))

    backup(database_url, tmp_path / "asahan.siaga", False, meanwhile)
    assert contents(database_url)["public.reading_traffic"][0] == 2
    said: list[str] = []
    restore(empty_database_url, tmp_path / "asahan.siaga", False, None, said.append)
    assert contents(empty_database_url) == before
    assert "as many as in the backup" in said[-2]
    await goes_on(empty_database_url)
    assert (tmp_path / "asahan.siaga").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "asahan.siaga.part").exists()


async def test_all_of_it_comes_back_on_timescale(timescale: Timescale, timescale_url: str, tmp_path: Path) -> None:
    """Dumped by the role of Siaga; restored by a superuser, as TimescaleDB asks; and that role's again afterwards."""
    migrate(timescale_url, silent)
    await fill(timescale_url)
    before = contents(timescale_url)
    backup(timescale_url, tmp_path / "backup", False, silent)
    name = psycopg.conninfo.conninfo_to_dict(timescale_url)["dbname"]
    with pytest.raises(BackupError, match="can only be restored by a superuser"):
        restore(timescale_url, tmp_path / "backup", True, None, silent)
    as_superuser = timescale.url(str(name))
    with pytest.raises(BackupError, match="is not empty"):
        restore(as_superuser, tmp_path / "backup", False, None, silent)
    with psycopg.connect(timescale_url) as conn:
        conn.execute(READING, (OLD,))
    said: list[str] = []
    with psycopg.connect(timescale_url, autocommit=True) as left:
        restore(as_superuser, tmp_path / "backup", True, None, said.append)
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")
    try:
        assert contents(timescale_url) == before
        migrate(timescale_url, silent)
        with psycopg.connect(timescale_url) as conn:
            assert database.about(conn).owner == database.about(conn).database_owner == name
            found = conn.execute(
                "SELECT hypertable_name, num_chunks FROM timescaledb_information.hypertables"
            ).fetchall()
            chunks = dict(found)
            assert chunks["reading_streetlight"] == chunks["rollup_streetlight_5m"] == 2
            assert chunks["reading_water_level"] == chunks["reading_traffic"] == 1
        await goes_on(timescale_url)
    finally:
        admin(timescale.url(), said[-1].split("rid of it: ")[1] + " WITH (FORCE)")


async def test_a_database_in_use_is_replaced_and_kept(postgres: Postgres, database_url: str, tmp_path: Path) -> None:
    await fill(database_url)
    before = contents(database_url)
    backup(database_url, tmp_path / "backup", False, silent)
    with psycopg.connect(database_url) as conn:
        conn.execute(READING, (NOW + minutes(5),))
    after = contents(database_url)
    with pytest.raises(BackupError, match=r"is not empty.*--into NAME.*--force"):
        restore(database_url, tmp_path / "backup", False, None, silent)
    restore(database_url, tmp_path / "backup", False, "siaga_drill", silent)
    assert contents(postgres.url("siaga_drill")) == before
    with pytest.raises(BackupError, match="database siaga_drill is there already"):
        restore(database_url, tmp_path / "backup", False, "siaga_drill", silent)
    postgres.drop("siaga_drill")
    assert contents(database_url) == after
    said: list[str] = []
    with psycopg.connect(database_url, autocommit=True) as left:
        restore(database_url, tmp_path / "backup", True, None, said.append)
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")
    kept = said[-1].split('"')[1]
    assert contents(database_url) == before
    assert contents(postgres.url(kept)) == after
    postgres.drop(kept)


def test_what_is_damaged_restores_nothing(
    postgres: Postgres, database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute("INSERT INTO device (id, kind) SELECT 'lamp-' || n, 'streetlight' FROM generate_series(1, 5000) n")
    whole = tmp_path / "whole"
    backup(database_url, whole, False, silent)
    content, bad = whole.read_bytes(), tmp_path / "bad"
    flipped = bytearray(content)
    flipped[-1000] ^= 1
    for damaged in (content[:-100], bytes(flipped), b"no backup"):
        bad.write_bytes(damaged)
        with pytest.raises(BackupError, match="bad is"):
            restore(empty_database_url, bad, False, None, silent)
        assert contents(empty_database_url) == {}
        with pytest.raises(BackupError):
            restore(empty_database_url, bad, False, "siaga_drill", silent)
    with psycopg.connect(postgres.url()) as conn:
        assert conn.execute("SELECT 1 FROM pg_database WHERE datname = 'siaga_drill'").fetchone() is None


def test_rows_that_are_not_those_of_the_backup_are_told(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    backup(database_url, tmp_path / "backup", False, silent)
    with file.read(tmp_path / "backup") as (manifest, dump, _):
        told = manifest.model_copy(update={"rows": {**manifest.rows, "public.device": 3}})
        with (tmp_path / "other").open("wb") as opened, file.new(opened, told) as target:
            target.write(dump.read())
    with pytest.raises(BackupError, match=r"do not use them:\npublic.device: 0 instead of 3$"):
        restore(empty_database_url, tmp_path / "other", False, None, silent)


def test_a_role_without_special_rights(postgres: Postgres, database_url: str, tmp_path: Path) -> None:
    """It is told what it needs to put a backup in the place of its database, and that is enough."""
    backup(database_url, tmp_path / "backup", False, silent)
    before, name = contents(database_url), database_url.rsplit("/", 1)[1]
    as_guest = make_conninfo(database_url, user="guest")
    admin(database_url, "CREATE ROLE guest LOGIN PASSWORD 'only-in-tests'; GRANT SELECT ON alembic_version TO guest")
    try:
        admin(database_url, f"ALTER DATABASE {name} OWNER TO guest")
        with pytest.raises(BackupError, match="guest may not make a database: ALTER ROLE guest CREATEDB"):
            restore(as_guest, tmp_path / "backup", True, None, silent)
        admin(database_url, "ALTER ROLE guest CREATEDB")
        said: list[str] = []
        restore(as_guest, tmp_path / "backup", True, None, said.append)
        assert contents(as_guest) == before
        postgres.drop(said[-1].split('"')[1])
    finally:
        postgres.drop(name)
        admin(postgres.url(), "DROP ROLE guest")


def test_a_file_is_replaced_only_if_it_is_said_so(database_url: str, tmp_path: Path) -> None:
    target = tmp_path / "backup"
    target.write_text("what somebody needs")
    with pytest.raises(BackupError, match=r"is there already.*--force"):
        backup(database_url, target, False, silent)
    with file.part_of(target, True), pytest.raises(BackupError, match="another `siaga backup`"):
        backup(database_url, target, True, silent)
    target.write_text("what somebody needs")
    failing = programs.running(("/bin/sh", "-c", "echo no room >&2; exit 3"), {}, "stdout")
    with pytest.raises(BackupError, match="sh failed:\nno room"), file.part_of(target, True), failing:
        pass
    assert target.read_text() == "what somebody needs"
    backup(database_url, target, True, silent)
    with file.read(target) as (manifest, _, size):
        assert manifest.revision == newest_revision()
        assert size > 1000


def test_the_command_says_in_a_line_what_is_wrong(empty_database_url: str, tmp_path: Path) -> None:
    def siaga(*words: object, **env: str | None) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words], env=env)
        assert done.exit_code == 1, done.output
        return done.output

    assert "SIAGA_DATABASE_URL is not set" in siaga("backup", tmp_path / "x", SIAGA_DATABASE_URL=None)
    url = {"SIAGA_DATABASE_URL": empty_database_url}
    assert "has no tables of Siaga; run `siaga migrate`" in siaga("backup", tmp_path / "x", **url)
    assert "No such file" in siaga("backup", tmp_path / "no" / "x", **url)
    (tmp_path / "x").write_text("x")
    assert "x is no backup of Siaga" in siaga("restore", tmp_path / "x", **url)


MANIFEST = Manifest(
    made_at=datetime(2026, 11, 24, tzinfo=UTC), siaga="0.1.0", database="siaga", owner="siaga", revision="0006",
    flavour=Flavour.PLAIN, postgres="17.6 (Debian 17.6-0+deb13u1)", timescale=None, pg_dump=17, rows={},
)  # fmt: skip
TARGET = database.About(
    "siaga", "siaga", "17.4", None, None, user="siaga", superuser=True, revision=None, flavour=Flavour.PLAIN
)
HYPER = MANIFEST.model_copy(update={"timescale": "2.19.3", "flavour": Flavour.TIMESCALE_APACHE})


@pytest.mark.parametrize(
    ("manifest", "target", "offered", "newest", "why"),
    [
        (MANIFEST, TARGET, [], "0006", None),
        (MANIFEST, TARGET, ["2.19.3"], "0006", None),
        (MANIFEST, TARGET, [], "0005", "schema 0006, and this version of Siaga knows 0005"),
        (MANIFEST, replace(TARGET, postgres="18beta1"), [], "0006", None),
        (MANIFEST, replace(TARGET, postgres="16.2"), [], "0006", "17.6 .*, and the server is 16.2"),
        (HYPER, TARGET, ["2.19.3", "2.18.0"], "0006", None),
        (HYPER, TARGET, [], "0006", "TimescaleDB 2.19.3, and the server has no TimescaleDB"),
        (HYPER, TARGET, ["2.31.0"], "0006", "TimescaleDB 2.19.3, and the server has TimescaleDB 2.31.0"),
        (HYPER, replace(TARGET, timescale="2.20.0"), ["2.19.3"], "0006", "2.19.3, and database siaga has 2.20.0"),
        (HYPER, replace(TARGET, superuser=False), ["2.19.3"], "0006", "only be restored by a superuser"),
    ],
)
def test_what_does_not_fit(
    manifest: Manifest, target: database.About, offered: list[str], newest: str, why: str | None
) -> None:
    found = fit.misfit(manifest, target, offered, newest)
    assert re.search(why, found or "") if why else found is None


@pytest.mark.parametrize(
    ("version", "server", "wrote", "good"),
    [
        (18, 18, 0, True),
        (18, 17, 0, True),
        (17, 18, 0, False),
        (16, 15, 0, True),
        (18, 16, 0, False),  # it sets what 16 does not know
        (17, 17, 18, False),  # it cannot read what 18 wrote
        (18, 17, 18, True),
    ],
)
def test_which_program_fits(version: int, server: int, wrote: int, good: bool) -> None:
    assert programs.fits(version, server, wrote) is good


def test_programs_are_found_by_the_version_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    assert programs.find("pg_dump", 18)[1] == 18
    for version in (97, 99):
        program = tmp_path / str(version) / "pg_dump"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}.1 (Debian)'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / '99'}:{tmp_path / '97'}", prepend=os.pathsep)
    assert programs.find("pg_dump", 99) == (tmp_path / "99" / "pg_dump", 99)
    assert programs.find("pg_dump", 96) == (tmp_path / "97" / "pg_dump", 97)
    with pytest.raises(BackupError, match=r"PostgreSQL 100 or newer .*97, 99\).*postgresql-client-100"):
        programs.find("pg_dump", 100)


def test_the_password_goes_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "prefer")
    env = programs.environment("postgresql://siaga:s%40fe@db:5433/asahan?sslmode=require", "backup")
    wanted = {
        "PGHOST": "db", "PGPORT": "5433", "PGUSER": "siaga", "PGPASSWORD": "s@fe", "PGDATABASE": "asahan",
        "PGSSLMODE": "require",
    }  # fmt: skip
    assert env | wanted == env


def test_a_schema_of_before_says_to_migrate(
    database_url: str, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(database_url, tmp_path / "backup", False, silent)
    monkeypatch.setattr("siaga.backup.restore.newest_revision", lambda: "9999")
    said: list[str] = []
    restore(empty_database_url, tmp_path / "backup", False, None, said.append)
    assert "run `siaga migrate`" in said[-1]
