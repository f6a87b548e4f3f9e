"""Late data: it changes history, raises alerts marked historical, never pages and never moves a live alert."""

from __future__ import annotations

import pytest

from alerts.notices import wants_notice
from tests.alerts.timeline import Timeline, gauge, lamp, only

RULES = only("siaga", "water_level")


@pytest.fixture
def river() -> Timeline:
    return Timeline(gauge(), rules=RULES)


def late(river: Timeline, when: str, level_m: float, received: str = "23:00") -> list[str]:
    return river.push(when, received=received, level_m=level_m)


def pages(river: Timeline) -> list[str | None]:
    return [wants_notice(transition, 2) for transition in river.last]


def test_a_flood_in_the_backlog_is_historical_with_its_true_times(river: Timeline) -> None:
    assert late(river, "19:00", 3.0) == ["raised 2 (historical)"]
    assert river.last[0].event_at == river.at("19:00")
    assert pages(river) == [None]
    assert late(river, "19:30", 3.7) == ["worsened 1 (historical)"]
    assert pages(river) == [None]
    assert late(river, "20:00", 2.5) == []
    assert late(river, "20:30", 2.5) == ["eased 3 (historical)"]
    assert late(river, "21:00", 1.0) == []
    assert late(river, "21:30", 1.0) == ["cleared (historical)"]
    assert pages(river) == [None]


@pytest.mark.parametrize(("age", "mark"), [("22:45", ""), ("22:44:59", " (historical)")])
def test_late_is_more_than_15_min(river: Timeline, age: str, mark: str) -> None:
    assert late(river, age, 3.0) == [f"raised 2{mark}"]


class TestGoingLive:
    @pytest.fixture
    def river(self, river: Timeline) -> Timeline:
        assert late(river, "22:00", 3.0) == ["raised 2 (historical)"]
        return river

    def test_a_live_reading_that_holds_makes_it_live_and_pages(self, river: Timeline) -> None:
        assert river.push("23:00", level_m=3.0) == ["went_live 2"]
        assert pages(river) == ["now live"]
        assert river.last[0].from_severity == river.last[0].to_severity == 2

    def test_so_does_one_within_the_hysteresis(self, river: Timeline) -> None:
        assert river.push("23:00", level_m=2.75) == ["went_live 2"]

    def test_only_once(self, river: Timeline) -> None:
        river.push("23:00", level_m=3.0)
        assert river.push("23:10", level_m=3.0) == []

    def test_a_worse_live_reading_makes_it_live_at_its_own_level(self, river: Timeline) -> None:
        assert river.push("23:00", level_m=3.7) == ["went_live 1"]
        assert (river.last[0].from_severity, river.last[0].to_severity) == (2, 3)
        assert pages(river) == ["now live"]

    def test_a_better_live_reading_makes_it_live_at_its_own_level(self, river: Timeline) -> None:
        """Had it eased and gone live in one step, nobody would have been told of it."""
        assert late(river, "22:10", 3.7) == ["worsened 1 (historical)"]
        assert river.push("23:00", level_m=2.9) == ["went_live 2"]
        assert pages(river) == ["now live"]

    def test_yesterdays_flood_does_not_page_today(self, river: Timeline) -> None:
        """The live reading is normal: the alert ends without ever having been live."""
        assert river.push("23:00", level_m=1.0) == ["cleared (historical)"]
        assert pages(river) == [None]
        assert river.push("23:30", level_m=1.0) == []

    def test_a_live_reading_without_a_level_decides_nothing(self, river: Timeline) -> None:
        assert river.push("23:00", level_m=None) == []
        assert river.push("23:01", level_m=99.0) == []
        assert river.push("23:10", level_m=3.0) == ["went_live 2"]

    def test_what_was_historical_is_no_part_of_the_live_alerts_peak(self, river: Timeline) -> None:
        """Siaga 1 was in the backlog only. A page that it is over would follow no page that it was there."""
        assert late(river, "22:10", 3.7) == ["worsened 1 (historical)"]
        assert river.push("23:00", level_m=2.3) == ["went_live 3"]
        assert pages(river) == [None]
        assert river.push("23:10", level_m=1.0) == []
        assert river.push("23:40", level_m=1.0) == ["cleared"]
        assert river.last[0].peak_severity == 1
        assert pages(river) == [None]


class TestLiveAlert:
    @pytest.fixture
    def river(self, river: Timeline) -> Timeline:
        assert river.push("19:00", level_m=3.0) == ["raised 2"]
        return river

    def test_late_data_does_not_worsen_it(self, river: Timeline) -> None:
        assert late(river, "19:10", 3.9, received="19:40") == []
        assert river.push("19:41", level_m=3.0) == []

    def test_late_data_does_not_clear_it(self, river: Timeline) -> None:
        assert late(river, "19:10", 1.0, received="20:30") == []
        assert late(river, "19:40", 1.0, received="20:30") == []
        assert late(river, "20:10", 1.0, received="20:30") == []
        assert river.push("20:31", level_m=3.0) == []

    def test_late_data_older_than_what_was_decided_is_not_looked_at(self, river: Timeline) -> None:
        assert river.push(-3600, received="23:00", level_m=3.9) == []
        assert river.push(-1, received="23:00", level_m=1.0) == []

    def test_what_is_live_stays_live(self, river: Timeline) -> None:
        late(river, "19:10", 3.0, received="19:40")
        assert river.push("19:45", level_m=3.7) == ["worsened 1"]

    def test_the_next_live_reading_decides_with_the_backlogs_timers(self, river: Timeline) -> None:
        """The backlog says it has been low since 19:10, the live reading that it still is."""
        assert late(river, "19:10", 1.0, received="19:50") == []
        assert river.push("19:51", level_m=1.0) == ["cleared"]


def test_a_backlog_sent_newest_first_decides_by_its_newest(river: Timeline) -> None:
    """Documented limit: what is older than the newest evaluated reading is history only."""
    assert late(river, "20:00", 1.0) == []
    assert late(river, "19:00", 3.0) == []


def test_a_backlog_in_one_batch_is_taken_in_order_of_event_time(river: Timeline) -> None:
    from tests.alerts.timeline import packet

    (wl,) = river.fleet.devices
    levels = {"20:00": 1.0, "19:00": 3.0, "19:30": 1.0, "23:00": 2.9}
    batch = river.batch(packet(wl, river.at(at), river.at("23:00"), level_m=level) for at, level in levels.items())
    assert river.take(batch) == ["raised 2 (historical)", "cleared (historical)", "raised 2"]


def test_late_samples_count_towards_a_live_raise() -> None:
    line = Timeline(lamp(), rules=only("voltage_low", "streetlight"))
    assert line.push("22:40", received="23:00", voltage_v=190) == []
    assert line.push("23:00", voltage_v=190) == ["raised severity 1"]
