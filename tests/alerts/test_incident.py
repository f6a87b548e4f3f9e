"""Many alerts as one: when a group of devices is an incident, who belongs to it, and when it is over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import words
from alerts.incident import Group, Outage, Quorum, Spell, group_of, outages, quorum
from alerts.incident_plan import Kept, Step, Told, Wanted, plan, told
from alerts.rule import Level, Rule
from devices.kind import Label

EVENING = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
FIVE = Quorum(5, timedelta(minutes=10), timedelta(minutes=10))
PANEL, NORTH = Group("panel", "P-01"), Group("feeder", "F-N")
OUTAGE = Rule(
    id="outage", kind="streetlight", condition="together", of=("unpowered",), by=("panel", "feeder"), share=0.6,
    delay_off_s=600, level=(Level(severity=2),),
)  # fmt: skip


def at(minute: float) -> datetime:
    return EVENING + timedelta(minutes=minute)


def spell(number: int, begin: float, end: float | None = None, device: str | None = None) -> Spell:
    """An alert of lamp `number`, from minute to minute."""
    return Spell(number, device or f"lamp-{number}", at(begin), None if end is None else at(end))


def short(found: Iterable[Outage]) -> list[tuple[float, float | None, tuple[int, ...], tuple[int, ...]]]:
    """Outages in minutes."""
    return [
        (_minutes(each.begin), None if each.end is None else _minutes(each.end), each.members, each.left)
        for each in found
    ]


def _minutes(moment: datetime) -> float:
    return (moment - EVENING) / timedelta(minutes=1)


class TestOutages:
    def test_begins_with_the_alert_that_makes_it_enough_and_ends_with_the_last(self) -> None:
        lamps = [spell(number, number, 60 + number) for number in range(1, 7)]
        assert short(outages(lamps, FIVE, at(90))) == [(5, 66, (1, 2, 3, 4, 5, 6), ())]

    def test_fewer_stay_alone(self) -> None:
        assert outages([spell(number, number) for number in range(1, 5)], FIVE, at(90)) == []

    def test_those_that_failed_long_before_have_another_cause(self) -> None:
        lamps = [spell(1, -60), *(spell(number, 0) for number in range(2, 6))]
        assert outages(lamps, FIVE, at(90)) == []
        (one,) = outages([*lamps, spell(6, 1)], FIVE, at(90))
        assert one.members == (2, 3, 4, 5, 6)

    def test_those_that_were_over_do_not_stand_together(self) -> None:
        lamps = [spell(number, number, number + 0.5) for number in range(1, 9)]
        assert outages(lamps, FIVE, at(90)) == []

    def test_a_device_with_two_alerts_counts_once(self) -> None:
        lamps = [spell(number, 0) for number in range(1, 5)] + [spell(9, 0, device="lamp-1")]
        assert outages(lamps, FIVE, at(90)) == []
        (one,) = outages([*lamps, spell(5, 0)], FIVE, at(90))
        assert one.members == (1, 2, 3, 4, 5, 9)

    def test_of_a_cabinet_one_is_enough_and_while_it_stands_nobody_is_too_few(self) -> None:
        cabinet = spell(1, 0, 90, device="panel-01")._replace(alone=True)
        assert short(outages([cabinet], FIVE, at(95))) == [(0, 90, (1,), ())]
        lamps = [cabinet, spell(2, 1, 95), spell(3, 2)]
        assert short(outages(lamps, FIVE, at(96))) == [(0, None, (1, 2, 3), ())]
        assert short(outages(lamps, FIVE, at(120))) == [(0, 100, (1, 2, 3), (3,))]

    def test_while_it_stands_others_join_whenever_they_come(self) -> None:
        lamps = [spell(number, 0, 200) for number in range(1, 6)] + [spell(6, 180)]
        assert short(outages(lamps, FIVE, at(199))) == [(0, None, (1, 2, 3, 4, 5, 6), ())]

    def test_too_few_for_ten_minutes_end_it_and_the_rest_is_alone_again(self) -> None:
        lamps = [spell(number, 0, 30 + number) for number in range(1, 5)] + [spell(5, 0)]
        assert short(outages(lamps, FIVE, at(42.9))) == [(0, None, (1, 2, 3, 4, 5), ())]
        # Two of five are fewer than half: from minute 33 on.
        assert short(outages(lamps, FIVE, at(43))) == [(0, 43, (1, 2, 3, 4, 5), (5,))]
        assert short(outages([*lamps, spell(6, 33.5)], FIVE, at(90)))[0][1] == 44, "three again for a while"

    def test_late_data_ends_it_by_what_happened_and_not_by_the_clock(self) -> None:
        lamps = [spell(number, 0, 30) for number in range(1, 5)] + [spell(5, 0)]
        assert short(outages(lamps, FIVE, None)) == [(0, None, (1, 2, 3, 4, 5), ())]

    def test_it_may_come_again(self) -> None:
        lamps = [spell(number, 0, 30) for number in range(1, 6)] + [spell(number, 60, 90) for number in range(6, 11)]
        assert [(begin, end) for begin, end, *_ in short(outages(lamps, FIVE, at(99)))] == [(0, 30), (60, 90)]

    def test_one_that_stands_goes_on_from_its_beginning_however_many_are_asked_for_now(self) -> None:
        lamps = [spell(number, 0) for number in range(1, 6)]
        more = FIVE._replace(devices=9)
        assert outages(lamps, more, at(5)) == []
        assert short(outages(lamps, more, at(5), at(0))) == [(0, None, (1, 2, 3, 4, 5), ())]


@pytest.mark.parametrize(("devices", "asked"), [(3, 5), (8, 5), (9, 6), (214, 129), (100, 60)])
def test_a_share_of_the_group_and_five_at_least(devices: int, asked: int) -> None:
    assert quorum(OUTAGE, devices).devices == asked


def test_a_group_stands_in_the_place_of_a_device() -> None:
    assert group_of(PANEL.subject) == PANEL
    assert group_of("$gateway/a/b") == Group("gateway", "a/b")
    assert group_of("$siaga") is None
    assert group_of("pju-1") is None


@pytest.mark.parametrize(
    ("rule", "group", "members", "indonesian", "english"),
    [
        ("outage", PANEL, 214, "Panel P-01 padam: 214 lampu", "Panel P-01 is dark: 214 lamps"),
        ("outage", NORTH, 1, "Penyulang F-N padam: 1 lampu", "Feeder F-N is dark: 1 lamp"),
        ("outage", PANEL, None, "Panel P-01 padam", "Panel P-01 is dark"),
        (
            "gateway_silent", Group("gateway", "GW-1"), 9, "Gateway GW-1 berhenti melapor: 9 perangkat",
            "Gateway GW-1 stopped reporting: 9 devices",
        ),
        ("own", Group("site", "Jl. Lobam"), 2, "Lokasi Jl. Lobam: own: 2 perangkat", "Site Jl. Lobam: own: 2 devices"),
    ],
)  # fmt: skip
def test_people_read_what_the_group_is_called(
    rule: str, group: Group, members: int | None, indonesian: str, english: str
) -> None:
    assert words.title(rule, group.subject, None, members=members) == Label(indonesian, english)


def test_an_alert_that_went_live_was_late_before() -> None:
    def step(what: str, minute: float, historical: bool = False) -> Step:
        return Step(1, "lamp-1", "unpowered", historical, None, what, at(minute))

    found = told([step("raised", 0), step("went_live", 20), step("cleared", 30)])
    assert (found.live, found.late) == ([spell(1, 20, 30)], [spell(1, 0, 20)])
    assert told([step("raised", 0, historical=True)]).late == [spell(1, 0)]
    assert told([step("raised", 0), step("cleared", 5), step("raised", 9)]).live == [spell(1, 0, 5), spell(1, 9)]


# Ten lamps of a panel, of which six hang on one feeder.
TOWN = {
    PANEL: frozenset(f"lamp-{number}" for number in range(1, 11)),
    NORTH: frozenset(f"lamp-{number}" for number in range(1, 7)),
}


class TestPlan:
    def of(self, live: Iterable[Spell], under: dict[int, int] | None = None, *kept: Kept) -> list[Wanted]:
        return list(plan(OUTAGE, TOWN, Told(list(live), [], under or {}), kept, at(60)).wanted)

    def test_a_feeder_where_its_panel_is_not_out(self) -> None:
        (one,) = self.of(spell(number, 0) for number in range(1, 6))
        assert (one.group, one.devices) == (NORTH, 5)

    def test_a_panel_stands_for_its_feeders(self) -> None:
        (one,) = self.of(spell(number, 0) for number in range(1, 11))
        assert (one.group, one.devices) == (PANEL, 10)

    def test_a_feeder_is_part_of_the_panel_that_follows_it_soon(self) -> None:
        feeder = Kept(7, NORTH, at(0), None, False, frozenset(range(1, 7)))
        lamps = [spell(number, 0 if number < 7 else 5) for number in range(1, 11)]
        panel, was = self.of(lamps, dict.fromkeys(range(1, 7), 7), feeder)
        assert (panel.group, panel.devices, was.kept, was.outage.members) == (PANEL, 10, feeder, ())
        assert was.outage.end == at(60)

    def test_what_went_live_alone_is_shown(self) -> None:
        past = Kept(7, PANEL, at(0), None, True, frozenset(range(1, 11)))
        late = [spell(number, 0, 40 if number == 1 else None) for number in range(1, 11)]
        given = Told([spell(1, 40)], late, dict.fromkeys(range(1, 11), 7))
        found = plan(OUTAGE, TOWN, given, [past], at(60))
        (one,) = found.wanted
        assert (one.kept, one.historical, one.outage.end) == (past, True, None)
        assert found.parents == {1: None} | dict.fromkeys(range(2, 11), 0)

    def test_enough_that_went_live_make_it_live(self) -> None:
        past = Kept(7, PANEL, at(0), None, True, frozenset(range(1, 11)))
        late = [spell(number, 0, 40 if number < 7 else None) for number in range(1, 11)]
        given = Told([spell(number, 40) for number in range(1, 7)], late, dict.fromkeys(range(7, 11), 7))
        found = plan(OUTAGE, TOWN, given, [past], at(60))
        (one,) = found.wanted
        assert (one.kept, one.historical, one.goes_live) == (past, False, True)
        assert found.parents == dict.fromkeys(range(1, 7), 0)


class Store:
    """Keeps incidents as the database does."""

    def __init__(self) -> None:
        self.kept: dict[int, Kept] = {}
        self.under: dict[int, int] = {}

    def derive(self, late: Iterable[Spell]) -> None:
        found = plan(OUTAGE, TOWN, Told([], list(late), self.under), list(self.kept.values()), at(999))
        numbers = []
        for each in found.wanted:
            number = each.kept.id if each.kept else len(self.kept) + 1
            ever = (each.kept.members if each.kept else frozenset()) | frozenset(each.outage.members)
            self.kept[number] = Kept(number, each.group, each.outage.begin, each.outage.end, True, ever)
            numbers.append(number)
        for alert, index in found.parents.items():
            self.under.pop(alert, None)
            if index is not None:
                self.under[alert] = numbers[index]

    @property
    def incidents(self) -> list[tuple[Group, datetime, datetime | None, tuple[int, ...]]]:
        """Those that have members."""
        found = []
        for number, kept in self.kept.items():
            if members := tuple(sorted(alert for alert, parent in self.under.items() if parent == number)):
                found.append((kept.group, kept.begin, kept.end, members))
        return sorted(found, key=lambda each: each[:2])


@st.composite
def failures(draw: st.DrawFn) -> list[Spell]:
    """Lamps that fail and come back, most of them about the same time."""
    minutes = st.sampled_from([0, 1, 2, 8, 30, 31, 40])
    lasting = st.sampled_from([1, 5, 12, 30, 60])
    lamps = draw(st.lists(st.tuples(st.integers(1, 10), minutes, lasting), min_size=8, max_size=25))
    return [
        spell(number, begin, begin + lasts, f"lamp-{device}") for number, (device, begin, lasts) in enumerate(lamps, 1)
    ]


@given(failures(), st.data())
def test_late_data_comes_to_the_same_incidents_in_whatever_order_it_arrives(
    lamps: list[Spell], data: st.DataObject
) -> None:
    at_once, bit_by_bit = Store(), Store()
    at_once.derive(lamps)
    arriving = data.draw(st.permutations(lamps))
    for cut in sorted({*data.draw(st.lists(st.integers(1, len(lamps)), max_size=4)), len(lamps)}):
        bit_by_bit.derive(arriving[:cut])
    assert bit_by_bit.incidents == at_once.incidents


@given(failures(), st.lists(st.integers(0, 110), max_size=6))
def test_live_ones_come_out_the_same_however_often_one_looks(lamps: list[Spell], looks: list[int]) -> None:
    """Of one group: what has happened up to each look, and the incident that stood then."""
    standing: datetime | None = None
    found: dict[datetime, Outage] = {}
    for minute in sorted({*looks, 120}):
        seen = [
            each._replace(end=None if each.end is None or each.end > at(minute) else each.end)
            for each in lamps if each.begin <= at(minute)
        ]  # fmt: skip
        past = {
            alert for each in found.values() if each.end is not None for alert in set(each.members) - set(each.left)
        }
        news = outages([each for each in seen if each.alert not in past], FIVE, at(minute), standing)
        found |= {each.begin: each for each in news}
        standing = next((each.begin for each in news if each.end is None), None)
    assert list(found.values()) == outages(lamps, FIVE, at(120))
