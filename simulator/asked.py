"""What was asked for on the command line, checked as a whole: which options go together, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from devices.topics import is_region
from runtime.settings import Settings, require
from simulator import plan as plans
from simulator import scenario as scenarios
from simulator.fleet import make_fleet
from simulator.load.main import LoadOptions
from simulator.regions import dealt
from simulator.replay import fleet as replay_fleet
from simulator.replay_map import read_map
from simulator.runs import Recorded, Wanted
from simulator.times import parse_duration, parse_speed, parse_start

DEVICES, IN_FLIGHT = 200, 500


@dataclass(frozen=True)
class Asked:
    """The options of `siaga simulate` that say what to do, as they were written."""

    devices: int | None
    seed: int
    region: str
    scenario: str | None
    start: str | None
    lasting: str | None
    speed: str | None
    truth: Path | None
    may_lose: str | None
    backfill: str | None
    backfill_only: bool
    rate: float | None
    fleet_only: bool
    replay: Path | None
    map: Path | None
    load: bool
    batch: int
    processes: int | None
    connections: int | None
    in_flight: int | None
    client_id: str | None

    def wanted(self, now: datetime) -> Wanted | Recorded:
        """A city, a scenario or a recorded file. Raises ValueError, MapError, ScenarioError; each names the option."""
        self._check()
        if self.replay is not None and self.map is not None:
            plan = read_map(self.map)
            own = self.client_id or "siaga-replay"
            return Recorded(own, replay_fleet(self.replay, plan), self.replay, plan, parse_speed(self.speed or "max"))
        return self._city(now) if self.scenario is None else self._scenario(self.scenario, now)

    def load_options(self, settings: Settings) -> LoadOptions:
        """A load; what is not said is left to it. Raises ValueError, SettingError."""
        self._check()
        key = settings.api_key
        said = {
            "devices": self.devices, "rate": self.rate, "connections": self.connections, "in_flight": self.in_flight,
            "client_id": self.client_id, "seconds": None if self.lasting is None else parse_duration(self.lasting),
        }  # fmt: skip
        options = LoadOptions(
            mqtt_url=require(settings.mqtt_url, "SIAGA_MQTT_URL"),
            batch=self.batch,
            processes=self.processes,
            seed=self.seed,
            regions=self.regions,
            api_url=settings.api_url,
            api_key=key.get_secret_value() if key else None,
            log_level=settings.log_level,
        )
        return replace(options, **{name: value for name, value in said.items() if value is not None})  # type: ignore[arg-type]

    @property
    def regions(self) -> tuple[str, ...]:
        """--region may name several, separated by commas."""
        return tuple(code.strip(" ") for code in self.region.split(","))

    def _check(self) -> None:
        for region in self.regions:
            if not is_region(region):
                raise ValueError(f"--region {region!r} is no Kemendagri code such as 12.09")
        if len(set(self.regions)) < len(self.regions):
            raise ValueError(f"--region {self.region}: one of them is there twice")
        if (self.replay is None) != (self.map is None):
            raise ValueError("--replay FILE.csv and --map map.toml go together")
        modes = [
            name for name, on in (("--scenario", self.scenario), ("--replay", self.replay), ("--load", self.load)) if on
        ]
        if len(modes) > 1:
            raise ValueError(f"{' and '.join(modes)}: one of them at a time")
        mode = modes[0] if modes else "an invented city"
        unfit: dict[str, dict[str, object]] = {
            "--scenario": {"--rate": self.rate, "--backfill": self.backfill},
            "--replay": {
                "--rate": self.rate, "--for": self.lasting, "--start": self.start, "--truth": self.truth,
                "--backfill": self.backfill, "--devices": self.devices,
            },
            "--load": {
                "--truth": self.truth, "--speed": self.speed, "--start": self.start, "--backfill": self.backfill,
            },
        }  # fmt: skip
        only_load: dict[str, object] = {
            "--batch": self.batch if self.batch > 1 else None,
            "--processes": self.processes,
        }
        not_for = unfit.get(mode, {}) | ({} if self.load else only_load)
        wrong = [name for name, value in not_for.items() if value is not None]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: not for {mode}")
        if self.backfill_only and self.backfill is None:
            raise ValueError("--backfill-only needs --backfill, as in --backfill 30d")
        if self.backfill is not None and self.truth is not None:
            raise ValueError("--truth: the truth is not told of a --backfill")
        if self.may_lose is not None and self.truth is None:
            raise ValueError("--may-lose says what to write into a --truth")

    def _city(self, now: datetime) -> Wanted:
        start = None if self.start is None else parse_start(self.start, now)
        hours = float("inf") if self.lasting is None else parse_duration(self.lasting) / 3600
        region = self.regions[0]
        fleet = dealt(make_fleet(self.devices or DEVICES, self.seed, region, cabinets=True), self.regions)

        def plan_at(at: float) -> plans.Plan:
            begin = start.timestamp() if start else at
            return plans.plan_city(fleet, self.seed, region, begin, rate=self.rate, hours=hours)

        history_s = None if self.backfill is None else parse_duration(self.backfill, "--backfill")
        speed = parse_speed(self.speed or "1")
        own = self.client_id or ("siaga-backfill" if self.backfill_only else "siaga-sim")
        return Wanted(own, fleet, plan_at, speed, self.truth, self._may_lose_s, history_s, not self.backfill_only)

    def _scenario(self, name: str, now: datetime) -> Wanted:
        start = None if self.start is None else parse_start(self.start, now)
        speed = parse_speed(self.speed or "max")
        hours = None if self.lasting is None else parse_duration(self.lasting) / 3600
        plan = plans.plan(
            name, scenarios.read(name), self.seed, regions=self.regions, start=start, hours=hours, devices=self.devices
        )
        if speed is None and plan.end_ms > now.timestamp() * 1000:
            raise ValueError(
                "--speed max: the run would end in the future, and nothing can be measured there; "
                "choose an earlier --start, a shorter --for, or --speed 1 --start now"
            )
        own = self.client_id or f"siaga-{plan.tag}"
        return Wanted(own, plan.fleet, lambda _: plan, speed, self.truth, self._may_lose_s)

    @property
    def _may_lose_s(self) -> float:
        return 0.0 if self.may_lose is None else parse_duration(self.may_lose, "--may-lose")
