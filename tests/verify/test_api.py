"""`siaga verify` asks a real API as well: what it does not show, or shows otherwise, is a difference."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from runtime.settings import Settings
from siaga.verify.main import CLEAN, DIFFERENT, Options, verify
from tests.servers import Postgres
from tests.verify.conftest import Served, serving
from tests.verify.run import FLOOD, ahead, ingest, sent, write_truth

# Only the API shows these rows: for it alone they are wrong.
CHANGES = {
    """UPDATE latest SET "values" = "values" || '{"power_w": 1}', qc = 2 WHERE device_id = 'lamp'""": (
        "different  /api/v1/latest  lamp  2026-11-23T22:50:00+07:00  qc is 2, stored is 1; power_w is"
        " 1, stored is 103.1"
    ),
    "DELETE FROM latest WHERE device_id = 'gauge'": "missing  /api/v1/latest  gauge  2026-11-23T21:10:00+07:00",
}


def asked(served: Served, truth: Path, key: str | None = None) -> int:
    settings = Settings(database_url=served.database_url, api_url=served.url, api_key=key or served.key)
    return verify(Options(truth, patience_s=0), settings)


def test_the_api_shows_what_is_stored(served: Served, truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = asked(served, truth), capsys.readouterr().out
    assert code == CLEAN, said
    assert "API      3 latest values, 1 alerts, 9 device hours and missing numbers of 3 devices compared" in said
    with psycopg.connect(served.database_url, autocommit=True) as conn:
        for statement in CHANGES:
            conn.execute(statement.encode())
        conn.execute("UPDATE rollup_traffic_1h SET n = 3 WHERE bucket = '2026-11-23 12:00Z'")
    code, said = asked(served, truth), capsys.readouterr().out
    assert code == DIFFERENT
    for line in CHANGES.values():
        assert line in said.splitlines(), said
    line = "different  /api/v1/metrics/traffic  counter  2026-11-23T19:00:00+07:00  n is 3, 6 readings are stored"
    assert line in said.splitlines(), said


def test_what_late_readings_superseded_is_shown_and_is_no_alert_too_many(
    served: Served, truth: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(served.database_url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO alert (rule, device_id, kind, severity, peak_severity, active, historical, raised_at, "
            "detected_at, cleared_at, superseded) SELECT 'voltage_low', device_id, kind, 1, 1, false, true, raised_at, "
            "detected_at, raised_at, true FROM alert LIMIT 1"
        )
    code, said = asked(served, truth), capsys.readouterr().out
    assert code == CLEAN, said


def test_hours_of_a_clock_that_runs_ahead_of_the_run_are_asked_for(
    postgres: Postgres, template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ahead(sent())
    write_truth(tmp_path / "t", run, FLOOD)
    url = postgres.create("siaga_ahead", template)
    asyncio.run(ingest(url, run))
    with serving(url, tmp_path) as served:
        code, said = asked(served, tmp_path / "t"), capsys.readouterr().out
    postgres.drop("siaga_ahead")
    assert code == CLEAN, said
    assert "9 device hours and" in said


def test_a_refusal_is_told(served: Served, truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(served, truth, key="wrong") == DIFFERENT
    assert "refused  API  GET /api/v1/latest: 401" in capsys.readouterr().out
