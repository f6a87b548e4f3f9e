"""`siaga simulate` without a broker: its help, its refusals, and the fleet file it writes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from devices.fleet_csv import read_csv
from simulator.cli import parse_duration, simulate
from simulator.fleet import make_fleet

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(simulate)
REFUSED = 2


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("SIAGA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refusal(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == REFUSED, result.output
    assert "Traceback" not in result.output
    return result.stderr


@pytest.mark.parametrize(
    "option",
    [
        "--devices", "--seed", "--rate", "--for", "--region", "--fleet-out", "--fleet-only", "--replay", "--map",
        "--speed", "--connections", "--in-flight", "--client-id",
    ],
)  # fmt: skip
def test_help_names_every_option(option: str) -> None:
    result = run("--help")
    assert result.exit_code == 0
    (line,) = [line for line in result.output.splitlines() if line.split()[:1] == [option]]
    assert len(line.split()) > 3, "and says what it does"


def test_help_says_where_it_publishes() -> None:
    assert "SIAGA_MQTT_URL" in run("--help").output
    assert "SIAGA_API_KEY" in run("--help").output


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["--devices", "0"], ["--devices", "1"]),
            (["--devices", "many"], ["--devices", "integer"]),
            (["--seed", "-1"], ["--seed"]),
            (["--connections", "0"], ["--connections", "1"]),
            (["--in-flight", "60001"], ["--in-flight", "60000"]),
            (["--colour"], ["--colour"]),
            (["--region", "1209"], ["--region", "'1209'", "12.09"]),
            (["--region", "12.09\n"], ["--region", "12.09"]),
            (["--for", "soon"], ["--for", "'soon'", "1h30m"]),
            (["--for", "0s"], ["--for", "'0s'"]),
            (["--for", "-5"], ["--for"]),
            (["--speed", "fast"], ["--speed", "'fast'", "max"]),
            (["--speed", "0"], ["--speed", "'0'"]),
            (["--speed", "-1"], ["--speed", "'-1'"]),
            (["--speed", "nan"], ["--speed", "'nan'"]),
            (["--speed", "inf"], ["--speed", "'inf'"]),
            (["--fleet-only"], ["--fleet-out"]),
            (["--replay", "a.csv"], ["--replay", "--map"]),
            (["--map", "a.toml"], ["--replay", "--map"]),
            (["--replay", "a.csv", "--map", "none.toml"], ["none.toml", "No such file"]),
            ([], ["SIAGA_MQTT_URL", "siaga up"]),
        ],
        ids=str,
    )
    def test_a_bad_option_is_named(self, arguments: list[str], told: list[str]) -> None:
        message = refusal(*arguments)
        for words in told:
            assert words in message

    def test_a_bad_setting_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SIAGA_LOG_LEVEL", "LOUD")
        assert "SIAGA_LOG_LEVEL" in refusal()

    def test_a_bad_broker_address_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SIAGA_MQTT_URL", "http://broker")
        assert "SIAGA_MQTT_URL" in refusal("--for", "1s")

    @pytest.mark.parametrize("rate", ["0", "-1", "nan", "1e9"])
    def test_a_rate_that_cannot_be_reached_is_named(self, monkeypatch: pytest.MonkeyPatch, rate: str) -> None:
        monkeypatch.setenv("SIAGA_MQTT_URL", "mqtt://127.0.0.1:1")
        assert "--rate" in refusal("--rate", rate, "--for", "1s")

    def test_a_fleet_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        assert "No such file" in refusal("--fleet-only", "--fleet-out", tmp_path / "none" / "fleet.csv")
        assert "--fleet-out" in refusal("--fleet-only", "--fleet-out", tmp_path)

    def test_a_recorded_file_without_the_maps_columns(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("x,y\n")
        (tmp_path / "map.toml").write_text(
            'region = "31"\nkind = "water_level"\ndevice.column = "d"\nts.column = "t"\nmetrics.level_m.column = "l"\n'
        )
        message = refusal("--replay", tmp_path / "a.csv", "--map", tmp_path / "map.toml")
        assert "no column d, l, t" in message

    @pytest.mark.parametrize("option", [("--for", "10m"), ("--rate", "5")])
    def test_options_of_a_city_with_a_recorded_file(self, option: tuple[str, str]) -> None:
        jakarta = Path(__file__).parents[2] / "simulator" / "maps" / "jakarta_tma.toml"
        assert "--replay" in refusal("--replay", "a.csv", "--map", jakarta, *option)


class TestFleetOnly:
    @pytest.mark.parametrize("size", [1, 30, 300])
    def test_writes_what_the_registry_reads(self, tmp_path: Path, size: int) -> None:
        file = tmp_path / "fleet.csv"
        result = run("--devices", str(size), "--seed", "7", "--fleet-only", "--fleet-out", file)
        assert result.exit_code == 0, result.output
        assert f"wrote {size} devices" in result.stdout
        with file.open(encoding="utf-8", newline="") as opened:
            parsed = read_csv(opened)
        assert parsed.errors == []
        assert parsed.devices == make_fleet(size, 7)

    def test_in_another_region(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "fleet.csv"
        monkeypatch.setenv("SIAGA_REGION", "12.10")
        for option, code in (([], "12.10"), (["--region", "31"], "31")):
            assert run("--devices", "30", "--fleet-only", "--fleet-out", file, *option).exit_code == 0
            with file.open(encoding="utf-8", newline="") as opened:
                assert {device.region for device in read_csv(opened).devices} == {code}

    def test_of_a_recorded_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("d,t,l\nKaret,2020-01-01 07:00,1\nDepok,2020-01-01 07:00,2\nKaret,,3\n")
        (tmp_path / "map.toml").write_text(
            'region = "31"\nkind = "water_level"\ndevice = {column = "d", template = "wl-{slug}"}\n'
            'ts.column = "t"\nmetrics.level_m.column = "l"\n'
        )
        file = tmp_path / "fleet.csv"
        result = run(
            "--replay", tmp_path / "a.csv", "--map", tmp_path / "map.toml", "--fleet-only", "--fleet-out", file
        )
        assert result.exit_code == 0, result.output
        with file.open(encoding="utf-8", newline="") as opened:
            assert [device.id for device in read_csv(opened).devices] == ["wl-karet", "wl-depok"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("2h", 7200),
        ("45", 45),
        ("1.5s", 1.5),
        ("1h2m3s", 3723),
        (" 5s ", 5),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "0", "0m", "m5", "1d", "10 m", "1m1h", "-1s", "1,5s", "inf", "nan"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="--for"):
        parse_duration(text)
