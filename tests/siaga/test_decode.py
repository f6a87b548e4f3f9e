"""`siaga decode`: what would be stored, in words and as JSON, and an exit code that says whether all of it would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from siaga.cli import app
from tests.ingest.decoders.test_samples import CHIRPSTACK, EXAMPLE, uplink

AT = "2026-11-24T19:00:00+07:00"


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["decode", *words, "--at", AT])
    return result.exit_code, result.output


def sample(folder: Path, data: bytes) -> str:
    (folder / "sample").write_bytes(data)
    return str(folder / "sample")


def test_a_native_payload_with_a_derived_value(tmp_path: Path) -> None:
    file = sample(tmp_path, b'{"ts": "2026-11-24T18:59:00+07:00", "distance_m": 5.3, "colour": 1}\n')
    code, told = run("--sample", file, "--kind", "water_level", "--attribute", "sensor_to_datum_m=8")
    assert code == 0
    assert "reading of sample (water_level) at 2026-11-24T11:59:00+00:00" in told
    assert "level_m = 2.7 (derived)" in told
    assert "qc 1 good" in told
    assert "unknown fields, not stored: 1" in told


def test_lines_of_mosquitto_sub_through_a_decoder_as_json(tmp_path: Path) -> None:
    lines = [
        {"tst": "2026-11-24T19:00:00.000000+0700", "topic": CHIRPSTACK, "qos": 1, "payload": json.loads(uplink())},
        {"tst": "2026-11-24T19:00:00.000000+0700", "topic": CHIRPSTACK, "payload": uplink(f_cnt=42).decode()},
    ]
    file = sample(tmp_path, "\n".join(map(json.dumps, lines)).encode())
    code, told = run("--sample", file, "--kind", "water_level", "--config", str(EXAMPLE), "--json")
    assert code == 0
    first, second = json.loads(told)
    assert (first["readings"][0]["seq"], second["readings"][0]["seq"]) == (41, 42)
    assert first["readings"][0]["device"] == "wl-asahan-01"
    assert first["readings"][0]["values"]["distance_m"] == pytest.approx(5.312)
    assert first["quarantined"] == []


def test_quarantine_is_told_with_its_reason_and_ends_with_1(tmp_path: Path) -> None:
    file = sample(tmp_path, b'[{"ts": "2026-11-25T02:00:00+07:00", "power_w": 4}, {"power_w": "x"}]')
    code, told = run("--sample", file, "--kind", "streetlight")
    assert code == 1
    assert "future_timestamp: ts is 25200 s ahead, limit 300 s" in told
    assert "malformed: ts: Field required; power_w: Input should be a valid number" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--kind", "lamp"], "--kind: 'lamp' is unknown"),
        (["--kind", "traffic", "--config", "/none"], "--config: /none"),
        (["--kind", "traffic", "--attribute", "x"], "--attribute: 'x' is not NAME=VALUE"),
        (["--kind", "traffic", "--attribute", "x=1"], "x: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_option_is_named(tmp_path: Path, words: list[str], told: str) -> None:
    code, output = run("--sample", sample(tmp_path, b"{}"), *words)
    assert code != 0
    assert told in output
