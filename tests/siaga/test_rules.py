"""`siaga rules`: files are checked, timelines played, and the shipped rules do what their timelines say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from alerts.rule import BY_WORKER, shipped
from siaga.cli import app
from siaga.rules_test import differences, read_timeline
from storage.connect import connect

TIMELINES = sorted((Path(__file__).parents[1] / "alerts" / "timelines").glob("*.toml"))
GOOD = '[[rule]]\nid = "hot"\nkind = "streetlight"\ncondition = "above"\nmetric = "temperature_c"\nlevel = [{}]\n'
PLAYED = """
rule = "hot"
begin = 2026-11-24T19:00:00+07:00
device.pju-1 = { kind = "streetlight" }
step = [
  { at = "19:00", temperature_c = 79 },
  { at = 600, temperature_c = 80, expect = "raised severity 1" },
  { at = "03:00", temperature_c = 20, expect = "cleared" },
]
"""


def siaga(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["rules", *map(str, words)])
    return result.exit_code, result.output


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    file = tmp_path / "own.toml"
    file.write_text(GOOD.format("{ severity = 1, bound = 80 }"))
    return file


@pytest.mark.parametrize("file", TIMELINES, ids=lambda file: file.stem)
def test_a_shipped_rule_does_what_its_timeline_says(file: Path) -> None:
    assert differences(read_timeline(file), shipped()) == []


def test_every_shipped_rule_has_a_timeline() -> None:
    by_reading = {rule.id for rule in shipped() if rule.condition not in BY_WORKER}
    assert {read_timeline(file).rule for file in TIMELINES} == by_reading


class TestCheck:
    def test_the_shipped_rules_and_a_file(self, rule_file: Path) -> None:
        code, told = siaga("check", rule_file)
        assert code == 0, told
        assert told.splitlines()[0].startswith(f"shipped: {len(shipped())} rules, nothing wrong")
        assert "own.toml: 1 rules, nothing wrong" in told

    def test_everything_wrong_by_file_rule_and_field(self, rule_file: Path) -> None:
        wrong = GOOD.format("{ severity = 7, bound = 80 }").replace("hot", "cold").replace('condition = "above"\n', "")
        rule_file.write_text(rule_file.read_text() + wrong)
        code, told = siaga("check", rule_file)
        assert code == 1
        assert f"{rule_file}: rule 'cold': level.0.severity: " in told
        assert f"{rule_file}: rule 'cold': condition: " in told

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        code, told = siaga("check", tmp_path / "none.toml")
        assert code == 1
        assert "none.toml" in told


class TestTimelines:
    def test_as_expected(self, tmp_path: Path, rule_file: Path) -> None:
        (tmp_path / "t.toml").write_text(PLAYED)
        assert siaga("test", tmp_path / "t.toml", "--file", rule_file) == (0, f"{tmp_path}/t.toml: as expected\n")

    def test_differences_in_plain_words(self, tmp_path: Path, rule_file: Path) -> None:
        (tmp_path / "t.toml").write_text(PLAYED.replace("= 79", "= 85").replace('"cleared"', '["cleared", "eased"]'))
        code, told = siaga("test", tmp_path / "t.toml", "--file", rule_file)
        assert code == 1
        assert told.splitlines()[1:] == [
            "  19:00 pju-1 (temperature_c 85): expected nothing, got “raised severity 1”",
            "  600.0 pju-1 (temperature_c 80): expected “raised severity 1”, got nothing",
            "  03:00 pju-1 (temperature_c 20): expected “cleared”, “eased”, got “cleared”",
        ]

    @pytest.mark.parametrize(
        ("before", "after", "told"),
        [
            ('"19:00"', '"25:00"', "step.0: at: '25:00'"),
            ("temperature_c = 79", "heat = 79", "step.0: heat"),
            ('{ at = "19:00",', '{ device = "x", at = "19:00",', "step.0: device: 'x'"),
            ('kind = "streetlight"', 'kind = "lamp"', "device.pju-1.kind"),
            ('kind = "streetlight"', 'kind = "streetlight", nominal_w = -1', "device.pju-1.nominal_w"),
            ("+07:00", "", "begin"),
            ("step = [", "step = [[", "t.toml"),
            ('{ at = "19:00",', "{", "step.0: needs either at or clock"),
        ],
    )
    def test_a_wrong_file_is_named_with_its_field(self, tmp_path: Path, before: str, after: str, told: str) -> None:
        assert before in PLAYED
        (tmp_path / "t.toml").write_text(PLAYED.replace(before, after))
        code, output = siaga("test", tmp_path / "t.toml")
        assert code == 1
        assert told in output

    def test_a_rule_that_is_not_there(self, tmp_path: Path) -> None:
        (tmp_path / "t.toml").write_text(PLAYED)
        assert "rule hot: there is none" in siaga("test", tmp_path / "t.toml")[1]


class TestDryRun:
    @pytest.fixture
    def sagging(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> datetime:
        """A lamp whose temperature rises for an hour."""
        monkeypatch.setenv("SIAGA_DATABASE_URL", database_url)
        start = datetime(2026, 11, 24, 12, tzinfo=UTC)
        with connect(database_url, "test") as conn:
            conn.execute("INSERT INTO device (id, kind) VALUES ('pju-1', 'streetlight')")
            conn.execute(
                "CREATE TABLE part_of_test PARTITION OF reading_streetlight"
                " FOR VALUES FROM ('2026-11-23Z') TO ('2026-11-30Z')"
            )
            for minute, value in enumerate((70, 90, 90, 70)):
                at = start + timedelta(minutes=15 * minute)
                conn.execute(
                    "INSERT INTO reading_streetlight (device_id, ts, received_at, qc, qc_reason, temperature_c)"
                    " VALUES ('pju-1', %s, %s, 1, 0, %s)",
                    (at, at, value),
                )
        return start

    def test_the_sentence_and_who_has_most(self, sagging: datetime, rule_file: Path) -> None:
        window = ("--from", "2026-11-24T19:00:00+07:00", "--to", "2026-11-24T20:00:00+07:00")
        code, told = siaga("dry-run", *window, "--file", rule_file)
        assert code == 0, told
        lines = told.splitlines()
        assert lines[0] == "4 readings of 1 devices, 2026-11-24 12:00 UTC to 2026-11-24 13:00 UTC"
        assert lines[1] == (
            "the rules in force would have raised 0 alerts, 0 floods; with the candidate: 1 alert, 0 floods"
        )
        assert lines[-1].split() == ["hot", "pju-1", "1", "2"]
        code, told = siaga("dry-run", *window, "--rule", "lamp_out", "--json")
        assert json.loads(told)["current"]["alerts"] == 0
        assert sagging

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("--from", "yesterday"), "--from: 'yesterday'"),
            (("--from", "2026-11-24T19:00:00"), "offset"),
            (("--from", "1h", "--to", "2h"), "is after --to"),
            (("--from", "1h", "--rule", "nothing"), "--rule: there is no rule nothing"),
        ],
    )
    @pytest.mark.usefixtures("sagging")
    def test_refused(self, words: tuple[str, ...], told: str) -> None:
        code, output = siaga("dry-run", *words)
        assert code == 1
        assert told in output

    def test_a_database_that_is_not_migrated(self, empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SIAGA_DATABASE_URL", empty_database_url)
        assert "siaga migrate" in siaga("dry-run", "--from", "1h")[1]
        with psycopg.connect(empty_database_url) as conn:
            assert conn.execute("SELECT 1").fetchone()
