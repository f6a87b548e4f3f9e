"""What was asked for as a whole: which options go together, and what comes of those that do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from runtime.settings import SettingError, Settings
from simulator.asked import Asked
from simulator.pace import RateError
from simulator.plan import FOR_EVER_MS
from simulator.runs import Recorded, Wanted
from simulator.scenario import ScenarioError, read

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
JAKARTA = Path(__file__).parents[2] / "simulator" / "maps" / "jakarta_tma.toml"
NOTHING = Asked(
    devices=None, seed=1, region="12.09", scenario=None, start=None, lasting=None, speed=None, truth=None,
    may_lose=None, backfill=None, backfill_only=False, rate=None, fleet_only=False, replay=None, map=None, load=False,
    batch=1, processes=None, connections=None, in_flight=None, client_id=None,
)  # fmt: skip


def wanted(**options: Any) -> Wanted:
    found = replace(NOTHING, **options).wanted(NOW)
    assert isinstance(found, Wanted)
    return found


class TestTogether:
    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"scenario": "hari-biasa", "load": True}, ["--scenario and --load", "one of them"]),
            ({"scenario": "hari-biasa", "replay": "a.csv", "map": "a.toml"}, ["--scenario and --replay"]),
            ({"replay": "a.csv", "map": "a.toml", "load": True}, ["--replay and --load"]),
            ({"replay": "a.csv"}, ["--replay", "--map"]),
            ({"map": "a.toml"}, ["--replay", "--map"]),
            ({"scenario": "hari-biasa", "rate": 5.0}, ["--rate", "not for --scenario"]),
            ({"scenario": "hari-biasa", "backfill": "30d"}, ["--backfill", "not for --scenario"]),
            ({"replay": "a.csv", "map": "a.toml", "rate": 5.0}, ["--rate", "not for --replay"]),
            ({"replay": "a.csv", "map": "a.toml", "lasting": "1h"}, ["--for", "not for --replay"]),
            ({"replay": "a.csv", "map": "a.toml", "start": "now"}, ["--start", "not for --replay"]),
            ({"replay": "a.csv", "map": "a.toml", "truth": Path("t")}, ["--truth", "not for --replay"]),
            ({"replay": "a.csv", "map": "a.toml", "backfill": "1d"}, ["--backfill", "not for --replay"]),
            ({"replay": "a.csv", "map": "a.toml", "devices": 5}, ["--devices", "not for --replay"]),
            ({"load": True, "truth": Path("t")}, ["--truth", "not for --load"]),
            ({"load": True, "speed": "max"}, ["--speed", "not for --load"]),
            ({"load": True, "start": "now"}, ["--start", "not for --load"]),
            ({"load": True, "backfill": "1d"}, ["--backfill", "not for --load"]),
            ({"region": "12.09,x"}, ["--region 'x'", "no Kemendagri code"]),
            ({"region": "12.09, 12.10,12.09"}, ["--region", "there twice"]),
            ({"batch": 5}, ["--batch", "not for an invented city"]),
            ({"processes": 2}, ["--processes", "not for an invented city"]),
            ({"scenario": "hari-biasa", "batch": 5, "processes": 1}, ["--batch, --processes", "not for --scenario"]),
            ({"backfill_only": True}, ["--backfill-only", "--backfill 30d"]),
            ({"backfill": "1d", "truth": Path("t")}, ["--truth", "--backfill"]),
            ({"may_lose": "2s"}, ["--may-lose", "--truth"]),
            ({"region": "Asahan"}, ["--region", "'Asahan'", "12.09"]),
            ({"backfill": "soon"}, ["--backfill", "'soon'"]),
            ({"truth": Path("t"), "may_lose": "soon"}, ["--may-lose", "'soon'"]),
        ],
        ids=str,
    )
    def test_what_does_not_go_together_is_named(self, options: dict[str, Any], told: list[str]) -> None:
        asked = replace(NOTHING, **options)
        with pytest.raises(ValueError, match="--") as refused:
            asked.load_options(Settings()) if asked.load else asked.wanted(NOW)
        for words in told:
            assert words in str(refused.value)


class TestCity:
    def test_by_default_200_devices_from_now_on_without_an_end(self) -> None:
        found = wanted()
        plan = found.plan_at(1_796_000_000.0)
        assert (len(found.fleet), found.speed, found.truth, found.backfill_s, found.live) == (200, 1, None, None, True)
        assert (plan.start_ms, plan.end_ms, plan.scenario) == (1_796_000_000_000, FOR_EVER_MS, "city")

    def test_start_length_size_rate_and_speed(self) -> None:
        found = wanted(devices=50, start="-24h", lasting="1d", speed="60", rate=2.0, seed=4)
        plan = found.plan_at(0.0)
        assert plan.start_ms == 1000 * NOW.timestamp() - 86_400_000
        assert plan.end_ms == 1000 * NOW.timestamp()
        assert (len(plan.fleet), plan.seed, found.speed) == (50, 4, 60)
        assert plan.city.pace.rate == pytest.approx(2, rel=0.01)

    def test_history_and_truth(self) -> None:
        assert wanted(backfill="30d").backfill_s == 30 * 86_400
        assert wanted(backfill="1h30m", backfill_only=True).live is False
        found = wanted(truth=Path("t"), may_lose="2s")
        assert (found.truth, found.may_lose_s) == (Path("t"), 2)

    def test_a_rate_out_of_reach(self) -> None:
        with pytest.raises(RateError, match="--rate"):
            wanted(rate=1e9).plan_at(0.0)


class TestScenario:
    def test_by_default_its_own_time_as_fast_as_it_goes(self) -> None:
        found, scenario = wanted(scenario="kemacetan", seed=3), read("kemacetan")
        plan = found.plan_at(0.0)
        assert found.speed is None
        assert plan.start_ms == 1000 * scenario.start.timestamp()
        assert plan.end_ms - plan.start_ms == scenario.hours * 3_600_000
        assert (plan.seed, len(plan.expect), found.fleet) == (3, len(scenario.expect), plan.fleet)

    def test_another_start_length_fleet_and_speed(self) -> None:
        found = wanted(scenario="kemacetan", start="-2d", lasting="1d", devices=100, speed="3600", region="12.10")
        plan = found.plan_at(0.0)
        assert plan.start_ms == 1000 * NOW.timestamp() - 2 * 86_400_000
        assert (plan.end_ms - plan.start_ms, len(plan.fleet), found.speed) == (86_400_000, 100, 3600)
        assert {device.region for device in plan.fleet} == {"12.10"}

    @pytest.mark.parametrize("options", [{"start": "now"}, {"start": "-24h", "lasting": "24h1s"}])
    def test_in_the_future_is_refused_at_max(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"--speed max: .*--start.*--for"):
            wanted(scenario="hari-biasa", **options)
        assert wanted(scenario="hari-biasa", speed="1", **options).speed == 1

    def test_up_to_now_is_not(self) -> None:
        assert wanted(scenario="hari-biasa", start="-24h").plan_at(0.0).end_ms == 1000 * NOW.timestamp()

    def test_of_a_name_that_is_none(self) -> None:
        with pytest.raises(ScenarioError, match="no scenario 'x'"):
            wanted(scenario="x")


def test_a_recorded_file_goes_as_fast_as_it_can(tmp_path: Path) -> None:
    file = tmp_path / "tma.csv"
    file.write_text("nama_pintu_air,lokasi,latitude,longitude,tanggal,tinggi_air,status_siaga\n")
    found = replace(NOTHING, replay=file, map=JAKARTA).wanted(NOW)
    assert isinstance(found, Recorded)
    assert (found.path, found.speed, found.map.region) == (file, None, "31")
    assert replace(NOTHING, replay=file, map=JAKARTA, speed="60").wanted(NOW).speed == 60


class TestLoad:
    def test_says_what_was_asked_and_leaves_the_rest(self) -> None:
        settings = Settings(mqtt_url="mqtt://x", api_url="http://api", api_key=SecretStr("secret"))
        options = replace(NOTHING, load=True, rate=500.0, lasting="10m", batch=7, seed=2).load_options(settings)
        assert (options.rate, options.seconds, options.batch, options.seed) == (500, 600, 7, 2)
        assert (options.mqtt_url, options.api_url, options.api_key) == ("mqtt://x", "http://api", "secret")
        plain = replace(NOTHING, load=True).load_options(settings)
        assert (plain.connections, plain.in_flight) == (4, 5000)

    def test_needs_a_broker(self) -> None:
        with pytest.raises(SettingError, match="SIAGA_MQTT_URL"):
            replace(NOTHING, load=True).load_options(Settings())


def test_runs_that_may_go_on_at_once_connect_under_names_of_their_own() -> None:
    """A broker ends a connection when another comes with its client id."""
    names = [
        wanted().client_id,
        wanted(backfill="1d", backfill_only=True).client_id,
        wanted(scenario="data-kotor").client_id,
        wanted(scenario="data-kotor", seed=2).client_id,
        wanted(scenario="hari-biasa").client_id,
    ]
    assert len(set(names)) == len(names)
    assert wanted(client_id="mine").client_id == "mine"
