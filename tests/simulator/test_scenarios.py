"""Scenarios: those that are shipped come out as their authors say, one's own are read, and mistakes are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.device import Device, check
from devices.topics import is_device_id
from simulator.fleet import make_fleet
from simulator.plan import Plan, plan, plan_city
from simulator.scenario import FOLDER, ScenarioError, parse, read, shipped
from simulator.truth.folder import Expected, Step
from simulator.truth.record import unmet
from tests.simulator.offline import HEAD, HOUR_MS, accounted, every, played, shipped_plan, written_plan
from tests.whole import WHOLE, only_whole

NAMES = shipped()
# The first is played through a whole Siaga (tests/e2e/test_scenarios.py).
SEEDS = (1, 2, 3) if WHOLE else (2,)
SLOW = ("banjir-data", "seminggu")
# A whole week of a thousand devices is expected to do nothing; its first day is enough to see it work.
HOURS = {"seminggu": 24.0}


class TestShipped:
    def test_are_these(self) -> None:
        assert NAMES == [
            "alat-rusak", "banjir-data", "banjir-silau", "data-kotor", "hari-biasa", "kemacetan",
            "listrik-dicuri", "panel-padam", "seminggu", "stuck-gauge",
        ]  # fmt: skip

    @pytest.mark.parametrize("name", NAMES)
    def test_is_explained_in_its_first_lines_and_lies_in_the_past(self, name: str) -> None:
        text = FOLDER.joinpath(f"{name}.toml").read_text("utf-8")
        first, *_ = text.splitlines()
        assert first.startswith("# ")
        assert name.replace("-", " ") in first.lower()
        assert sum(line.startswith("#") for line in text.splitlines()) >= 2
        scenario = read(name)
        assert scenario.title
        assert scenario.title not in {read(other).title for other in NAMES if other != name}
        assert scenario.start + timedelta(hours=scenario.hours) < datetime(2026, 11, 24, tzinfo=UTC)

    @pytest.mark.parametrize("name", NAMES)
    def test_has_a_fleet_that_the_registry_takes_and_that_no_other_run_has(self, name: str) -> None:
        one = shipped_plan(name)
        for device in one.fleet:
            assert check(device) == device
            assert is_device_id(device.id)
        others = [shipped_plan(name, 2), shipped_plan(name, 1, hours=1), *(shipped_plan(o) for o in NAMES if o != name)]
        ids, panels = _ids(one), _panels(one)
        for other in others:
            assert not ids & _ids(other)
            assert not panels & _panels(other)

    @pytest.mark.parametrize(
        ("name", "seed"),
        [(name, seed) for name in NAMES if name not in SLOW for seed in SEEDS]
        + [pytest.param(name, 1, marks=[pytest.mark.slow, only_whole]) for name in SLOW],
    )
    def test_comes_out_as_it_says(self, name: str, seed: int) -> None:
        set_in_time = shipped_plan(name, seed, HOURS.get(name))
        found = accounted(set_in_time, every(8, set_in_time))
        assert unmet(set_in_time, found.alerts) == []
        assert len(found.packets) > 1000


def _ids(one: Plan) -> set[str]:
    return {device.id for device in one.fleet}


def _panels(one: Plan) -> set[object]:
    return {d.attributes[name] for d in one.fleet for name in ("panel", "feeder") if name in d.attributes}


# -- one's own -------------------------------------------------------------------------------------------------------

OWN = HEAD.format(title="mine", hours=5, gauges=2, detectors=3, panels=[4, 5])


class TestOwnFile:
    def test_is_read_and_named_by_its_file(self, tmp_path: Path) -> None:
        file = tmp_path / "Banjir besar, 17 Juni.toml"
        file.write_text(OWN + "[pace]\nwater_level = 60\n", "utf-8")
        mine = plan(str(file), read(str(file)), 4)
        assert mine.names[:3] == ("wl-buntu-pane", "wl-kisaran-barat", "tr-imam-bonjol-1")
        assert [device.id for device in mine.fleet] == [f"Banjir-besar-17-4-{name}" for name in mine.names]
        assert all(check(device) == device for device in mine.fleet)
        assert mine.city.pace.interval_ms.tolist() == [60_000] * 2 + [300_000] * 3 + [900_000] * 9
        assert mine.end_ms - mine.start_ms == 5 * HOUR_MS
        assert mine.start_ms == datetime(2026, 11, 9, 17, tzinfo=UTC).timestamp() * 1000

    def test_has_an_incident_a_storm_failures_and_a_trip_where_it_says(self) -> None:
        tables = (
            '[[incident]]\nsite = "Jl. Imam Bonjol"\nfrom_h = 10\nuntil_h = 12\ncapacity = 0.1\n'
            "[[storm]]\nat_h = 3\ndepth_mm = 100\n"
            '[[failure]]\nfault = "driver"\nlamps = ["pju-0002"]\nfrom_h = 1\nuntil_h = 4\n'
            '[[trip]]\npanel = "P-02"\nfrom_h = 20\nuntil_h = 22\n'
        )
        run, calm = (played(written_plan(text, detectors=1, panels=(4, 5))) for text in (tables, ""))
        differ: dict[str, list[float]] = {}
        for key, item in run.items.items():
            if key in calm.items and item.values != calm.items[key].values:
                name = run.plan.names[item.device]
                differ.setdefault(name, []).append((item.at_ms - run.plan.start_ms) / HOUR_MS)
        others = {name for name in differ if not name.startswith("wl-")}
        assert others == {"tr-imam-bonjol-1", "pju-0002", *(f"pju-000{n}" for n in range(5, 10))}
        assert min(differ["tr-imam-bonjol-1"]) >= 10
        assert 1 <= min(differ["pju-0002"]) < 1.25
        assert min(differ["wl-buntu-pane"]) >= 3
        assert min(differ["pju-0007"]) >= 20

    def test_start_length_fleet_and_region_can_be_replaced(self) -> None:
        scenario = parse(OWN, "own.toml")
        start = datetime(2026, 3, 1, 2, 3, 4, tzinfo=UTC)
        other = plan("own.toml", scenario, 1, regions=["12.10"], start=start, hours=1.5, devices=50)
        assert len(other.fleet) == 50
        assert {device.region for device in other.fleet} == {"12.10"}
        assert (other.start_ms, other.end_ms - other.start_ms) == (start.timestamp() * 1000, 1.5 * HOUR_MS)
        assert all(is_device_id(device.id) for device in other.fleet)
        runs = [
            plan("own.toml", scenario, 1),
            plan("own.toml", scenario, 1, start=start),
            plan("own.toml", scenario, 1, start=start + timedelta(seconds=1)),
            plan("own.toml", scenario, 1, hours=4.5),
            plan("own.toml", scenario, 1, devices=50),
            other,
        ]
        ids = [device_id for run in runs for device_id in _ids(run)]
        assert len(ids) == len(set(ids)), "two runs share devices only where they send the same readings"

    def test_expects_something_only_of_the_whole(self) -> None:
        scenario = parse(OWN + '[[expect]]\nrule = "siaga"\n', "own.toml")
        start = datetime(2026, 3, 1, tzinfo=UTC)
        assert plan("own", scenario, 1).expect == scenario.expect
        assert plan("own", scenario, 1, hours=5).expect == scenario.expect
        assert plan("own", scenario, 1, hours=4).expect == ()
        assert plan("own", scenario, 1, start=start).expect == ()
        assert plan("own", scenario, 1, devices=20).expect == ()

    def test_a_fault_for_devices_that_a_replaced_fleet_has_not_is_no_mistake(self) -> None:
        scenario = parse(OWN + '[[fault]]\nfault = "spike"\ndevices = "pju-0009"\n', "own.toml")
        assert len(played(plan("own", scenario, 1, hours=1, devices=4)).packets) > 10


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ('[[trip]]\npanel = "P-09"\nuntil_h = 1\n', ["trip.panel", "'P-09'", "P-01, P-02"]),
        ('[[failure]]\nfault = "driver"\nlamps = ["pju-99*"]\nuntil_h = 1\n', ["failure.lamps", "pju-99*"]),
        ('[[failure]]\nfault = "driver"\nlamps = []\nuntil_h = 1\n', ["failure.0.lamps", "at least 1"]),
        ('[[failure]]\nfault = "ghost"\nlamps = ["*"]\nuntil_h = 1\n', ["failure.0.fault", "'driver'", "'cycling'"]),
        ('[[incident]]\nsite = "Jl. Buntu"\nuntil_h = 1\ncapacity = 0.5\n', ["incident.0.site", "Jl. Imam Bonjol, "]),
        ('[[incident]]\nsite = "Jl. Sutomo"\nuntil_h = 1\ncapacity = 1\n', ["incident.0.capacity", "less than 1"]),
        ('[[trip]]\npanel = "P-01"\nfrom_h = 3\nuntil_h = 2\n', ["trip.0", "from_h 3", "until_h 2"]),
        ('[[trip]]\npanel = "P-01"\nfrom_h = 3\n', ["trip.0.until_h", "required"]),
        ("[[storm]]\nat_h = 1\ndepth_mm = 0\n", ["storm.0.depth_mm", "greater than 0"]),
        ("[[storm]]\nat_h = 1\ndepth_mm = nan\n", ["storm.0.depth_mm", "finite"]),
        ("[pace]\ntraffic = 0.5\n", ["pace.traffic", "1"]),
        ("[weather]\n", ["weather", "'seed' or 'dry'"]),
        ("[[rain]]\n", ["rain", "not permitted"]),
        ('[[fault]]\nfault = "spike"\ndevices = "wl-nowhere"\n', ["fault.0", "no device", "'wl-nowhere'"]),
        ('[[fault]]\nfault = "spike"\nkind = "traffic"\ndevices = "wl-*"\n', ["fault.0", "no traffic", "'wl-*'"]),
        ('[[expect]]\nrule = "flood"\n', ["expect.0.rule", "'siaga'"]),
        ('[[expect]]\nrule = "siaga"\ncount = [3, 1]\n', ["expect.0", "count", "3", "1"]),
        ('[[expect]]\nrule = "siaga"\ncount = -1\n', ["expect.0.count", "0"]),
        ('[[expect]]\nrule = "siaga"\nfrom_h = 3\nuntil_h = 1\n', ["expect.0", "from_h 3", "until_h 1"]),
        ('[[expect]]\nrule = "siaga"\nseverity = 4\n', ["expect.0.severity", "3"]),
    ],
    ids=str,
)
def test_a_mistake_is_told_with_file_field_and_what_it_may_be(tables: str, told: list[str]) -> None:
    with pytest.raises(ScenarioError) as refused:
        plan("mine.toml", parse(OWN + tables, "mine.toml"), 1)
    text = str(refused.value)
    assert text.startswith("mine.toml: ")
    for words in told:
        assert words in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title = ", ["not TOML", "end of document"]),
        ('title = "x"\nstart = 2026-11-10T00:00:00\nhours = 1', ["start", "timezone"]),
        ('title = "x"\nstart = 2026-11-10T00:00:00Z\nhours = 0', ["hours", "greater than 0"]),
        ('title = "x"\nstart = 2026-11-10T00:00:00Z\nhours = inf', ["hours", "finite"]),
        ('title = "x"\nstart = 2026-11-10T00:00:00Z\nhours = 9000', ["hours", "8784"]),
        ("", ["title", "start", "hours", "required"]),
        (HEAD.format(title="", hours=1, gauges=8, detectors=0, panels=[]), ["fleet.gauges", "7"]),
        (HEAD.format(title="", hours=1, gauges=0, detectors=0, panels=[]), ["fleet", "at least one device"]),
        (HEAD.format(title="", hours=1, gauges=0, detectors=0, panels=[0]), ["fleet.panels.0", "1"]),
    ],
    ids=str,
)
def test_so_is_one_in_the_head(text: str, told: list[str]) -> None:
    with pytest.raises(ScenarioError) as refused:
        parse(text, "mine.toml")
    for words in ("mine.toml: ", *told):
        assert words in str(refused.value)


class TestNoScenario:
    def test_an_unknown_name_is_told_with_all_there_are(self) -> None:
        with pytest.raises(ScenarioError, match="no scenario 'banjir'") as refused:
            read("banjir")
        assert all(name in str(refused.value) for name in (*NAMES, "FILE.toml"))

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ScenarioError, match=r"none\.toml: No such file"):
            read(str(tmp_path / "none.toml"))

    def test_a_file_that_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(ScenarioError, match="UTF-8"):
            read(str(tmp_path / "a.toml"))

    def test_ids_that_would_be_too_long_are_refused(self) -> None:
        text = HEAD.format(title="", hours=1, gauges=0, detectors=14 * 20 * 3, panels=[])
        with pytest.raises(ScenarioError, match="64 characters: give the file a shorter name"):
            plan(
                "a-long-and-winding-name.toml", parse(text, "a.toml"), 2**31 - 1,
                start=datetime(2026, 1, 1, tzinfo=UTC), hours=1.25,
            )  # fmt: skip


# -- what is expected ------------------------------------------------------------------------------------------------


def alert(rule: str, device: Device, hour: float, severity: int = 1, *, must: bool = True) -> Expected:
    start_ms = round(datetime(2026, 11, 9, 17, tzinfo=UTC).timestamp() * 1000)
    steps = (Step(start_ms + round(hour * HOUR_MS), 1), Step(start_ms + round(hour * HOUR_MS) + 1, severity))
    return Expected(rule, device.id, must, steps, None, 0.0)


class TestUnmet:
    EXPECT = '[[expect]]\nrule = "siaga"\ndevices = "wl-b*"\nseverity = 2\nfrom_h = 1\nuntil_h = 3\n'

    @pytest.mark.parametrize(
        ("alerts", "told"),
        [
            ([("siaga", 0, 2, 2)], []),
            ([("siaga", 0, 1, 2)], []),
            ([], ["1 alerts 'siaga' expected on wl-b*, found 0"]),
            ([("siaga", 0, 2, 2), ("siaga", 0, 2.5, 2)], ["1 alerts 'siaga' expected on wl-b*, found 2"]),
            ([("siaga", 0, 2, 3)], ["found 0", "not expected: 'siaga' on wl-buntu-pane"]),
            ([("siaga", 0, 4, 2)], ["found 0", "not expected: 'siaga' on wl-buntu-pane"]),
            ([("siaga", 1, 2, 2)], ["found 0", "not expected: 'siaga' on wl-kisaran-barat"]),
            ([("siaga", 0, 2, 2), ("congestion", 2, 9, 1)], ["not expected: 'congestion' on tr-imam-bonjol-1"]),
        ],
        ids=str,
    )
    def test_too_few_too_many_and_what_nobody_spoke_of(
        self, alerts: list[tuple[str, int, float, int]], told: list[str]
    ) -> None:
        mine = written_plan(self.EXPECT)
        found = [alert(rule, mine.fleet[device if device < 2 else 7], hour, s) for rule, device, hour, s in alerts]
        lines = unmet(mine, found)
        assert len(lines) == len(told)
        assert all(words in line for words, line in zip(told, lines, strict=True))

    def test_what_may_appear_is_neither_wanted_nor_wrong(self) -> None:
        mine = written_plan(self.EXPECT)
        may = alert("siaga", mine.fleet[0], 2, 2, must=False)
        assert unmet(mine, [may]) == ["1 alerts 'siaga' expected on wl-b*, found 0"]
        assert unmet(mine, [may, alert("siaga", mine.fleet[0], 2.5, 2)]) == []

    def test_a_least_and_a_most(self) -> None:
        mine = written_plan('[[expect]]\nrule = "siaga"\ncount = [1, 2]\n')
        one = alert("siaga", mine.fleet[0], 1)
        assert [bool(unmet(mine, [one._replace(device_id=d.id) for d in mine.fleet[:n]])) for n in range(4)] == [
            True, False, False, True,
        ]  # fmt: skip

    def test_a_scenario_that_expects_nothing_is_content_with_anything(self) -> None:
        mine = written_plan()
        assert unmet(mine, [alert("siaga", mine.fleet[0], 1)]) == []


def test_an_invented_city_is_a_plan_without_an_end() -> None:
    fleet = make_fleet(30, 1)
    city = plan_city(fleet, 1, "12.09", 1_796_000_000.0, rate=None, hours=float("inf"))
    assert (city.fleet, city.names) == (tuple(fleet), tuple(device.id for device in fleet))
    assert city.end_ms > 2**60
    assert plan_city(fleet, 1, "12.09", 1_796_000_000.0, rate=None, hours=2).end_ms == 1_796_007_200_000
