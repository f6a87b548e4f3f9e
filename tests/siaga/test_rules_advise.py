"""`siaga rules advise`: who comes too often, in words and as rules to put in force."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from siaga.cli import app
from storage.connect import connect

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
WINDOW = ("--from", "2026-11-24T19:00:00+07:00", "--to", "2026-11-24T22:00:00+07:00")


def siaga(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["rules", "advise", *words])
    return result.exit_code, result.output


@pytest.fixture
def flapping(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gauge that has no hysteresis and stands at its bound, give or take 2 cm, every minute for two hours."""
    monkeypatch.setenv("SIAGA_DATABASE_URL", database_url)
    rule = {
        "id": "siaga", "kind": "water_level", "condition": "above", "metric": "level_m",
        "level": [{"severity": 1, "siaga": 3, "bound": 2.0}],
    }  # fmt: skip
    with connect(database_url, "test") as conn:
        conn.execute("INSERT INTO device (id, kind) VALUES ('wl-1', 'water_level')")
        conn.execute(
            "INSERT INTO rule_version (rule, kind, scope, definition, at, who, why)"
            " VALUES ('siaga', 'water_level', '', %s, now(), 'test', 'test')",
            (json.dumps(rule),),
        )
        conn.execute(
            "CREATE TABLE part_of_test PARTITION OF reading_water_level"
            " FOR VALUES FROM ('2026-11-23Z') TO ('2026-11-30Z')"
        )
        row = conn.execute(
            "INSERT INTO alert (rule, device_id, kind, severity, peak_severity, active, historical, raised_at,"
            " detected_at) VALUES ('siaga', 'wl-1', 'water_level', 1, 1, true, false, %s, %s) RETURNING id",
            (START, START),
        ).fetchone()
        assert row
        for minute in range(120):
            at, high = START + timedelta(minutes=minute), minute % 2 == 0
            conn.execute(
                "INSERT INTO reading_water_level (device_id, ts, received_at, qc, qc_reason, level_m)"
                " VALUES ('wl-1', %s, %s, 1, 0, %s)",
                (at, at, 2.02 if high else 1.98),
            )
            conn.execute(
                "INSERT INTO transition (alert_id, what, event_at, detected_at) VALUES (%s, %s, %s, %s)",
                (row[0], "raised" if high else "cleared", at, at),
            )


@pytest.mark.usefixtures("flapping")
def test_who_how_much_and_what_to_do() -> None:
    code, told = siaga(*WINDOW)
    assert code == 0, told
    assert told.splitlines() == [
        "siaga on wl-1: 60 alerts; replayed: 60 -> 1 alerts in 120 readings",
        "  60 s delay-off removes 99 %, adds no delay",
    ]
    (found,) = json.loads(siaga(*WINDOW, "--json")[1])
    assert found["proposal"]["rule"]["scope"] == {"device": "wl-1"}
    assert found["proposal"]["lost"] == 0


@pytest.mark.usefixtures("flapping")
def test_nothing_to_say_and_a_wrong_range() -> None:
    assert "nothing chatters" in siaga("--from", "2026-11-01T00:00:00Z", "--to", "2026-11-02T00:00:00Z")[1]
    code, told = siaga("--from", "1h", "--to", "2h")
    assert (code, "is not before --to" in told) == (1, True)


def test_a_database_that_is_not_migrated(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIAGA_DATABASE_URL", empty_database_url)
    assert "siaga migrate" in siaga()[1]
