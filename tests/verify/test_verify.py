"""`siaga verify` on a real database: clean after a run, and every change of a row is named."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runtime.settings import Settings
from siaga.verify.main import CLEAN, DIFFERENT, NOT_COMPARED, Options, verify
from tests.servers import Postgres
from tests.verify.run import FLOOD, ingest, replay, sent, write_truth

CLEAN_TEXT = """\
Scenario small, seed 1, 3 devices

             published  stored  duplicate  conflict  quarantined  not sent  missing  extra
streetlight         28      22          2         1            3         2        0      0
traffic             13      12          0         0            1         0        0      0
water_level         15      14          0         0            1         0        0      0

Rollups  48 of 5m, 9 of 1h, 3 of 1d compared with their readings
Alerts   1 must and 0 may be; 1 found, 0 missing, 0 extra, 0 wrong, 0 late
Incidents  0 must and 0 may be; 0 found, 0 missing, 0 extra, 0 wrong
API      not compared: SIAGA_API_URL and SIAGA_API_KEY are not both set

Clean: no difference
"""
# What is done to the database, and the lines that must name it.
CHANGES: dict[str, tuple[str, list[str]]] = {
    "a reading gone": (
        "DELETE FROM reading_streetlight WHERE ts = '2026-11-23 12:20Z'",
        [
            "missing  reading_streetlight  lamp  2026-11-23T19:20:00+07:00  seq 2 of boot a1",
            "different  reading_streetlight  lamp  boot a1: 3 numbers are missing among the stored, the truth has 2: 2",
            "different  ledger  lamp  2026-11-23T19:00:00+07:00  stored is 5, 4 rows are there, the truth has 5",
            "extra  rollup_streetlight_5m  lamp  2026-11-23T19:20:00+07:00  readings there: 0",
        ],
    ),
    "a reading changed": (
        "UPDATE reading_streetlight SET power_w = 82.2 WHERE ts = '2026-11-23 12:20Z'",
        [
            "different  reading_streetlight  lamp  2026-11-23T19:20:00+07:00  power_w is 82.2, the truth has 82.1",
            (
                "different  rollup_streetlight_5m  lamp  2026-11-23T19:20:00+07:00  power_w_avg is 82.1, its readings"
                " give 82.2; power_w_min is 82.1, its readings give 82.2; power_w_max is 82.1, its readings give 82.2;"
                " power_w_last is 82.1, its readings give 82.2"
            ),
        ],
    ),
    "a reading flagged": (
        "UPDATE reading_water_level SET qc = 3, seq = NULL, boot = 'b' WHERE ts = '2026-11-23 12:00Z'",
        [
            (
                "different  reading_water_level  gauge  2026-11-23T19:00:00+07:00  qc is 3, the truth has 1; seq is"
                " null, the truth has 0; boot is 'b', the truth has 'a1'"
            )
        ],
    ),
    "a reading too many": (
        (
            "INSERT INTO reading_traffic (device_id, ts, received_at, qc, qc_reason)"
            " VALUES ('counter', '2026-11-23 13:05:00.000001Z', now(), 1, 0)"
        ),
        [
            "extra  reading_traffic  counter  2026-11-23T20:05:00.000001+07:00  without seq",
            "different  ledger  counter  2026-11-23T20:00:00+07:00  stored is 6, 7 rows are there, the truth has 6",
            "missing  rollup_traffic_5m  counter  2026-11-23T20:05:00+07:00  readings there: 1",
        ],
    ),
    "a reading at a time that the truth names": (
        (
            "INSERT INTO reading_streetlight (device_id, ts, received_at, qc, qc_reason, seq)"
            " VALUES ('lamp', '2026-11-23 12:50Z', now(), 1, 0, 5)"
        ),
        ["extra  reading_streetlight  lamp  2026-11-23T19:50:00+07:00  seq 5"],
    ),
    "a ledger count lowered": (
        (
            "UPDATE ledger SET stored = stored - 1, received = received - 1"
            " WHERE device_id = 'gauge' AND hour = '2026-11-23 13:00Z'"
        ),
        ["different  ledger  gauge  2026-11-23T20:00:00+07:00  stored is 5, 6 rows are there, the truth has 6"],
    ),
    "duplicates forgotten": (
        "UPDATE ledger SET duplicate = 0, received = received - duplicate WHERE duplicate > 0",
        ["different  ledger  lamp  2026-11-23T19:00:00+07:00  duplicate is 0, the truth has 2"],
    ),
    "a conflict forgotten": (
        "UPDATE ledger SET conflict = 0, received = received - conflict WHERE conflict > 0",
        [
            "different  quarantine  lamp  the ledger counts 0 conflict, 1 are kept",
            "different  ledger  lamp  2026-11-23T20:00:00+07:00  conflict is 0, the truth has 1",
        ],
    ),
    "a packet in quarantine gone": (
        "DELETE FROM quarantine WHERE id = (SELECT min(id) FROM quarantine WHERE reason = 'malformed')",
        [
            "missing  quarantine  lamp  malformed on 'siaga/v1/12.09/lamp/readings': 1 are kept, the truth has 2",
            "different  quarantine  lamp  the ledger counts 3 quarantined, 2 are kept",
        ],
    ),
    "a conflict gone": (
        "DELETE FROM quarantine WHERE reason = 'conflict'",
        [
            (
                "missing  quarantine  lamp  2026-11-23T20:20:00+07:00  conflict on 'siaga/v1/12.09/lamp/readings': 0"
                " are kept, the truth has 1"
            )
        ],
    ),
    "a reading ahead of its time gone": (
        "DELETE FROM quarantine WHERE reason = 'future_timestamp'",
        [
            (
                "missing  quarantine  lamp  2026-11-30T23:00:00+07:00  future_timestamp on"
                " 'siaga/v1/12.09/lamp/readings': 0 are kept, the truth has 1"
            )
        ],
    ),
    "a stranger's packet gone": (
        "DELETE FROM quarantine WHERE reason = 'unknown_device'",
        ["missing  quarantine  ?  unknown_device on 'siaga/v1/12.09/nobody/readings': 0 are kept, the truth has 1"],
    ),
    "a rollup gone": (
        "DELETE FROM rollup_traffic_1h WHERE bucket = '2026-11-23 12:00Z'",
        ["missing  rollup_traffic_1h  counter  2026-11-23T19:00:00+07:00  readings there: 6"],
    ),
    "a rollup changed": (
        "UPDATE rollup_water_level_1d SET n_good = n_good + 1 WHERE bucket = '2026-11-22 17:00Z'",
        ["different  rollup_water_level_1d  gauge  2026-11-23T00:00:00+07:00  n_good is 13, its readings give 12"],
    ),
    "a bucket marked": (
        "INSERT INTO rollup_mark (kind, bucket) VALUES ('traffic', '2026-11-23 13:00Z')",
        ["pending  rollup_mark  buckets of traffic that wait for the worker: 1; none of the kind were compared"],
    ),
    "an alert gone": (
        "DELETE FROM transition; DELETE FROM alert",
        ["missing  alert  gauge  2026-11-23T19:40:00+07:00  siaga: severities 1 → 2 → 3"],
    ),
    "an alert without history": (
        "DELETE FROM transition",
        [
            "missing  alert  gauge  2026-11-23T19:40:00+07:00  siaga: severities 1 → 2 → 3",
            "different  alert  gauge  2026-11-23T19:40:00+07:00  siaga (id 1) has no transitions",
        ],
    ),
    "an alert that was not cleared": (
        "DELETE FROM transition WHERE what = 'cleared'",
        [
            "different  alert  gauge  2026-11-23T19:40:00+07:00  siaga: standing, the truth has it cleared",
            (
                "different  alert  gauge  2026-11-23T19:40:00+07:00  siaga (id 1): siaga is 4, its transitions say 1;"
                " active is False, its transitions say True; cleared_at is not what its transitions say"
            ),
        ],
    ),
    "an alert too many": (
        (
            "WITH a AS (INSERT INTO alert (rule, device_id, kind, severity, peak_severity, active, historical,"
            " raised_at, detected_at) VALUES ('lamp_out', 'lamp', 'streetlight', 0, 0, true, true,"
            " '2026-11-23 13:00Z', now()) RETURNING id) INSERT INTO transition (alert_id, what, to_severity, event_at,"
            " detected_at) SELECT id, 'raised', 0, '2026-11-23 13:00Z', '2026-11-24 12:00Z' FROM a"
        ),
        ["extra  alert  lamp  2026-11-23T20:00:00+07:00  lamp_out: severity 0, not in the truth"],
    ),
    "an alert that came late": (
        "UPDATE transition SET detected_at = detected_at + interval '90 s' WHERE what = 'worsened' AND to_severity = 3",
        ["late  transition  gauge  2026-11-23T20:10:00+07:00  siaga worsened 90.0 s after its reading, limit 60 s"],
    ),
}


def verified(url: str | None, truth: Path, **more: Any) -> int:
    return verify(Options(truth, **({"patience_s": 0} | more)), Settings(database_url=url))


def test_a_run_that_was_kept_is_clean(database_url: str, truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (verified(database_url, truth), capsys.readouterr().out) == (CLEAN, CLEAN_TEXT)


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_named(
    change: str, database_url: str, truth: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statement, lines = CHANGES[change]
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(statement.encode())
    code, said = verified(database_url, truth), capsys.readouterr().out
    assert code == DIFFERENT, said
    assert [line for line in lines if line not in said.splitlines()] == [], said
    assert "\nNOT clean: " in said


def test_a_run_sent_twice_is_clean_and_told(database_url: str, truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(ingest(database_url, sent()))
    code, said = verified(database_url, truth), capsys.readouterr().out
    assert code == CLEAN, said
    assert "Note     delivered again and counted as duplicates: 55" in said


def test_what_a_replay_took_out_of_quarantine_is_no_difference(
    database_url: str, truth: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(replay(database_url, "future_timestamp", shift_s=-7 * 86_400))
    code, said = verified(database_url, truth), capsys.readouterr().out
    assert code == CLEAN, said
    assert "Note     readings that a replay took out of quarantine: 1" in said
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("UPDATE reading_streetlight SET received_at = received_at + interval '1 s' WHERE seq = 24")
    assert verified(database_url, truth) == DIFFERENT
    line = "extra  reading_streetlight  lamp  2026-11-23T23:00:00+07:00  seq 24 of boot a1"
    assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("lost", [(), (7, 8)])
def test_messages_that_may_be_lost_may_be_missing(
    lost: tuple[int, ...], postgres: Postgres, template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Among them the worst of the flood, and a reading after which one that contradicts it came through."""
    run = sent()
    doubtful = {one.told.message for one in run if one.told.seq in (7, 8) and one.told.outcome == "stored"}
    write_truth(tmp_path / "t", run, FLOOD, unsure=dict.fromkeys(doubtful, "the broker was killed"))
    arrived = [one for one in run if one.told.message not in doubtful or one.told.seq not in lost]
    url = postgres.create("siaga_lossy", template)
    asyncio.run(ingest(url, arrived))
    code, said = verified(url, tmp_path / "t"), capsys.readouterr().out
    postgres.drop("siaga_lossy")
    assert code == CLEAN, said
    assert "Note     messages that may be lost, the broker was killed: 6" in said
    note = "Note     alerts that differ on devices whose messages may be lost, came out of order or were replayed: 1"
    assert (note in said) == bool(lost)


def test_json_has_everything(database_url: str, truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("DELETE FROM reading_traffic")
    assert verified(database_url, truth, most=1) == DIFFERENT
    text = capsys.readouterr().out
    assert "more; --json lists all" in text
    assert verified(database_url, truth, as_json=True, most=1) == DIFFERENT
    found = json.loads(capsys.readouterr().out)
    assert found["clean"] is False
    assert [kind["missing"] for kind in found["readings"]] == [0, 12, 0]
    missing = [each for each in found["differences"] if each["what"] == "missing"]
    assert missing[0] == {
        "what": "missing", "where": "reading_traffic", "device_id": "counter", "at": "2026-11-23T19:00:00+07:00",
        "detail": "seq 0 of boot a1",
    }  # fmt: skip
    assert len(missing) == 12


def test_what_cannot_be_compared(
    empty_database_url: str, tmp_path: Path, truth: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for url, folder, words in (
        (None, tmp_path / "none", "truth.json is not there"),
        (None, truth, "SIAGA_DATABASE_URL is not set"),
        ("postgresql://127.0.0.1:1/none", truth, "the database does not answer"),
        (empty_database_url, truth, "run `siaga migrate`"),
    ):
        assert verified(url, folder) == NOT_COMPARED
        assert words in capsys.readouterr().err
    wrong = Settings(database_url=empty_database_url, api_url="http://x:port", api_key="k")
    assert verify(Options(truth), wrong) == NOT_COMPARED
    assert "SIAGA_API_URL: Invalid port" in capsys.readouterr().err
