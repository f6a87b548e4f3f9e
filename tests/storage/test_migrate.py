"""`siaga migrate`: from nothing to everything, again to nothing, two at once, and a declaration that grew."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Annotated

import psycopg
import pytest
from psycopg import sql

from devices.kind import DIAGNOSTICS, Attributes, Kind, Label, Metric, Reading
from devices.kinds import KINDS
from storage import flavour, migrate
from storage.kind_tables import BUCKETS, STEPS, reading_table, rollup_table, table_of
from tests.servers import Postgres

FIXED_TABLES = {
    "device", "latest", "ledger", "quarantine", "alert", "transition", "alert_state", "rollup_mark",
    "api_key", "session", "part", "ingest_session", "ledger_mark", "ledger_missing",
    "ledger_sum", "closed", "archived", "retention", "rule_version", "alembic_version", "procrastinate_jobs",
    "forecast", "forecast_crossing", "forecast_seen", "forecast_lag",
    "notice_outbox", "notice_waiting", "page", "delivery", "delivery_alert", "duty",
}  # fmt: skip
SCHEMA = """
SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns
WHERE table_schema = 'public' ORDER BY 1, 2
"""


FLAVOURS = {
    "plain": "plain PostgreSQL",
    "timescale 2.19": "TimescaleDB (Apache licence)",
    "timescale 2.31": "TimescaleDB (Apache licence)",
    "community": "TimescaleDB (community licence)",
}
ON_PLAIN = pytest.mark.parametrize("server_name", ["plain"], indirect=True)
ON_TIMESCALE = pytest.mark.parametrize("server_name", [name for name in FLAVOURS if name != "plain"], indirect=True)


class Air(Reading):
    pm25_ug_m3: Annotated[float | None, Metric("ug/m3", 0, 1000, Label("PM2,5", "PM2.5"))] = None


class MoreAir(Air):
    ozone_ug_m3: Annotated[float | None, Metric("ug/m3", 0, 1000, Label("Ozon", "Ozone"))] = None
    puffs: Annotated[float | None, Metric("1", 0, 100, Label("Kepulan", "Puffs"), "sum")] = None


def air_quality(reading: type[Reading] = Air) -> Kind:
    return Kind(
        "air_quality", Label("Kualitas udara", "Air quality"), reading, Attributes, interval_s=600, primary="pm25_ug_m3"
    )


def run(url: str) -> list[str]:
    lines: list[str] = []
    migrate.migrate(url, lines.append)
    return lines


def columns(conn: psycopg.Connection, table: str) -> set[str]:
    query = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    return {name for (name,) in conn.execute(query, (table,))}


def test_an_empty_database_gets_everything(empty_database_url: str, server_name: str) -> None:
    lines = run(empty_database_url)
    assert lines[0].startswith("PostgreSQL 1")
    assert lines[0].endswith(FLAVOURS[server_name])
    assert f"migrated fixed tables from nothing to {migrate.newest_revision()}" in lines
    assert lines[-1] == "schema is up to date"
    with psycopg.connect(empty_database_url) as conn:
        tables = {name for (name,) in conn.execute("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')")}
        assert tables >= FIXED_TABLES
        for kind in KINDS.values():
            assert f"created table {reading_table(kind)}" in lines
            assert tables >= {reading_table(kind), *(rollup_table(kind, bucket) for bucket in BUCKETS)}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_tables_of_a_kind_follow_its_declaration(kind: Kind, database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        fixed = {"device_id", "ts", "received_at", "seq", "boot", "fw", "qc", "qc_reason"}
        assert columns(conn, reading_table(kind)) == {*fixed, *kind.metrics, *DIAGNOSTICS}
        kept = {"gauge": "avg min max last w", "counter": "delta last", "sum": "sum", "state": "last"}
        rolled = {f"{name}_{part}" for name, m in kind.metrics.items() for part in kept[m.rollup].split()}
        for bucket in BUCKETS:
            assert columns(conn, rollup_table(kind, bucket)) == {"device_id", "bucket", "n", "n_good", *rolled}


def test_a_second_run_changes_nothing(empty_database_url: str) -> None:
    run(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as conn:
        before = conn.execute(SCHEMA).fetchall()
        lines = run(empty_database_url)
        assert [line for line in lines if "created" in line or "migrated" in line] == []
        assert conn.execute(SCHEMA).fetchall() == before


@pytest.mark.two_sessions
def test_two_runs_at_once_both_succeed(empty_database_url: str) -> None:
    """Two processes, as two containers that start together."""
    line = [sys.executable, "-c", f"from storage.migrate import migrate; migrate({empty_database_url!r})"]
    started = [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    created = [line for out, _ in said for line in out.splitlines() if "created" in line or "migrated" in line]
    assert len(created) == len(set(created)) > len(KINDS)


@pytest.mark.two_sessions
def test_whoever_waits_says_so(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as holder, ThreadPoolExecutor(1) as threads:
        holder.execute(migrate.TRY_LOCK)
        lines: list[str] = []

        def log(text: str) -> None:
            lines.append(text)
            if "waiting" in text:
                holder.execute("SELECT pg_advisory_unlock_all()")

        threads.submit(migrate.migrate, empty_database_url, log).result(timeout=60)
    assert "another `siaga migrate` is at work; waiting for it" in lines
    assert lines[-1] == "schema is up to date"


def test_a_new_kind_gets_its_tables_and_a_new_metric_its_column(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "air_quality", air_quality())
    assert {line for line in run(database_url) if "created" in line} >= {
        "created table reading_air_quality",
        *(f"created table rollup_air_quality_{bucket}" for bucket in BUCKETS),
    }
    with psycopg.connect(database_url, autocommit=True) as conn:
        if not flavour.current(conn).has_hypertables:
            conn.execute(
                "CREATE TABLE reading_air_quality_old PARTITION OF reading_air_quality"
                " FOR VALUES FROM ('2026-11-23') TO ('2026-11-30')"
            )
        conn.execute(
            "INSERT INTO reading_air_quality (device_id, ts, received_at, qc, qc_reason, pm25_ug_m3)"
            " VALUES ('a', '2026-11-24', '2026-11-24', 1, 0, 35.5)"
        )
        monkeypatch.setitem(KINDS, "air_quality", air_quality(MoreAir))
        lines = run(database_url)
        assert "created column reading_air_quality.ozone_ug_m3" in lines
        assert "created column rollup_air_quality_1h.puffs_sum" in lines
        row = conn.execute("SELECT pm25_ug_m3, ozone_ug_m3 FROM reading_air_quality").fetchall()
        assert row == [(35.5, None)]
        # A metric that is declared no longer keeps its column and its history.
        monkeypatch.setitem(KINDS, "air_quality", air_quality())
        run(database_url)
        assert "ozone_ug_m3" in columns(conn, "reading_air_quality")


def test_a_failed_migration_leaves_nothing_behind(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixed tables are one transaction; the next run starts where this one did."""
    with psycopg.connect(empty_database_url, autocommit=True) as conn:
        conn.execute("CREATE TABLE part (in_the_way int)")
        with pytest.raises(psycopg.errors.DuplicateTable):
            run(empty_database_url)
        assert conn.execute("SELECT to_regclass('device')").fetchone() == (None,)
        conn.execute("DROP TABLE part")
        assert run(empty_database_url)[-1] == "schema is up to date"


def test_too_old_a_server_is_named() -> None:
    old = SimpleNamespace(info=SimpleNamespace(server_version=140_011))
    with pytest.raises(RuntimeError, match="PostgreSQL 14 is too old: Siaga needs 15 or newer"):
        migrate._migrate(old, print)  # type: ignore[arg-type]


@ON_PLAIN
def test_an_owner_without_special_rights_can_migrate(postgres: Postgres, empty_database_url: str) -> None:
    """In production the database belongs to a plain role, which may not look at every setting of the server."""
    name = empty_database_url.rsplit("/", 1)[1]
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'plain'").format(sql.Identifier(f"owner_{name}")))
        conn.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), sql.Identifier(f"owner_{name}"))
        )
    url = f"postgresql://owner_{name}:plain@127.0.0.1:{postgres.port}/{name}"
    assert run(url)[-1] == "schema is up to date"


@ON_TIMESCALE
def test_every_reading_and_rollup_is_in_a_hypertable(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "air_quality", air_quality())
    run(database_url)
    with psycopg.connect(database_url) as conn:
        assert flavour.current(conn).has_hypertables
        tables = conn.execute("SELECT hypertable_name FROM timescaledb_information.hypertables").fetchall()
        assert {name for (name,) in tables} == {table_of(kind, level) for kind in KINDS.values() for level in STEPS}


@ON_PLAIN
def test_a_plain_database_stays_plain(database_url: str) -> None:
    """Readings in native partitions are not a hypertable, even once the server has TimescaleDB."""
    with psycopg.connect(database_url) as conn:
        assert flavour.current(conn) is flavour.Flavour.PLAIN
        # As much of the extension as the question looks at.
        conn.execute("UPDATE pg_extension SET extname = 'timescaledb' WHERE extname = 'plpgsql'")
        conn.execute("SET timescaledb.disable_load = 'off'")
        assert flavour.current(conn) is flavour.Flavour.PLAIN
        assert conn.execute(flavour.TIMESCALE_OFFERED.encode()).fetchone() == (False,)
        conn.rollback()


def test_rollups_that_are_one_piece_are_put_into_parts(database_url: str) -> None:
    """As versions before retention kept them, with data in them."""
    times = [datetime(2026, month, 15, tzinfo=UTC) for month in (3, 7, 11)]
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("DROP TABLE rollup_traffic_1d CASCADE")
        conn.execute(
            'CREATE TABLE rollup_traffic_1d (device_id text COLLATE "C" NOT NULL, bucket timestamptz NOT NULL,'
            " n int NOT NULL, n_good int NOT NULL, count_sum float8, PRIMARY KEY (device_id, bucket))"
        )
        for at in times:
            conn.execute("INSERT INTO rollup_traffic_1d VALUES ('counter', %s, 1, 1, 5)", (at,))
        assert "created parts of rollup_traffic_1d" in run(database_url)
        found = conn.execute("SELECT bucket, n, count_sum FROM rollup_traffic_1d ORDER BY 1").fetchall()
        assert found == [(at, 1, 5.0) for at in times]
        again = "INSERT INTO rollup_traffic_1d (device_id, bucket, n, n_good) VALUES ('counter', %s, 1, 1)"
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute(again, (times[0],))
        assert not [line for line in run(database_url) if "created" in line]


@pytest.mark.parametrize(
    ("rows_a_day", "step"),
    [(0, timedelta(days=7)), (3e6, timedelta(days=7)), (4e6, timedelta(days=1)), (3e7, timedelta(hours=6)),
     (1e12, timedelta(hours=6))],
)  # fmt: skip
def test_chunks_hold_what_memory_can(rows_a_day: float, step: timedelta) -> None:
    assert flavour.chunk_step(rows_a_day) == step
