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
from simulator.cli import simulate
from simulator.fleet import make_fleet
from simulator.scenario import read, shipped

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
        "--devices", "--seed", "--scenario", "--scenarios", "--start", "--for", "--speed", "--truth", "--may-lose",
        "--backfill", "--backfill-only", "--rate", "--region", "--fleet-out", "--fleet-only", "--replay", "--map",
        "--load", "--batch", "--processes", "--connections", "--in-flight", "--client-id",
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
            (["--start", "yesterday"], ["--start", "'yesterday'", "-24h"]),
            (["--scenario", "banjir"], ["no scenario 'banjir'", "banjir-silau", "FILE.toml"]),
            (["--scenario", "none.toml"], ["none.toml", "No such file"]),
            (["--scenario", "hari-biasa", "--start", "now"], ["--speed max", "--start", "--speed 1 --start now"]),
            (["--scenario", "hari-biasa", "--rate", "5"], ["--rate", "--scenario"]),
            (["--truth", "."], ["SIAGA_MQTT_URL"]),
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
        assert parsed.devices == make_fleet(size, 7, cabinets=True)

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


def test_the_scenarios_are_listed_with_their_titles() -> None:
    result = run("--scenarios")
    assert result.exit_code == 0
    assert [tuple(line.split(maxsplit=1)) for line in result.stdout.splitlines()] == [
        (name, read(name).title) for name in shipped()
    ]


class TestFleetOfAScenario:
    def test_is_written_under_the_ids_of_the_run(self, tmp_path: Path) -> None:
        file = tmp_path / "fleet.csv"
        result = run("--scenario", "kemacetan", "--seed", "3", "--fleet-only", "--fleet-out", file)
        assert result.exit_code == 0, result.output
        with file.open(encoding="utf-8", newline="") as opened:
            parsed = read_csv(opened)
        assert parsed.errors == []
        assert len(parsed.devices) == 41
        assert {device.id[:12] for device in parsed.devices} == {"kemacetan-3-"}

    def test_of_one_that_cannot_be_set_up(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.toml"
        file.write_text('title = "x"\nstart = 2026-11-10T00:00:00Z\nhours = 1\n[[trip]]\npanel = "P-99"\nuntil_h = 1\n')
        assert "trip.panel: no panel 'P-99'; there are P-01, P-02" in refusal("--scenario", file, "--fleet-only")


class TestTruth:
    @pytest.mark.parametrize(
        "options",
        [
            ["--for", "1h", "--speed", "2"],
            ["--start", "-1h", "--for", "50m"],
            ["--start", "-1h"],
            ["--scenario", "hari-biasa", "--start", "-25h", "--for", "24h50m", "--speed", "60"],
        ],
        ids=str,
    )
    def test_of_a_run_that_is_neither_past_nor_live_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: list[str]
    ) -> None:
        monkeypatch.setenv("SIAGA_MQTT_URL", "mqtt://127.0.0.1:1")
        message = refusal("--truth", tmp_path / "truth", *options)
        assert "--truth" in message
        assert "past as a whole" in message
        assert "--speed 1 --start now" in message
        assert not (tmp_path / "truth").exists()

    def test_into_a_folder_that_is_not_empty_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("SIAGA_MQTT_URL", "mqtt://127.0.0.1:1")
        (tmp_path / "old").write_text("")
        assert "not empty" in refusal("--truth", tmp_path, "--scenario", "stuck-gauge")
