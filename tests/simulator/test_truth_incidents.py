"""The truth of incidents: by docs/alerts.md, and the same as the server's, of which it knows nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from alerts.incident import Spell, outages, quorum
from alerts.rule import shipped
from devices.device import Device
from simulator.truth import incidents
from simulator.truth.folder import Clock, Expected, ExpectedIncident, Step
from simulator.truth.incidents import expected_incidents

OUTAGE = next(rule for rule in shipped() if rule.id == "outage")
LAMPS = [
    Device(f"lamp-{n}", "streetlight", attributes={"panel": "P-01", "feeder": "N" if n <= 6 else "S"})
    for n in range(1, 11)
]  # fmt: skip
CABINET = Device("panel-01", "cabinet", attributes={"panel": "P-01"})
HEARD = [lamp.id for lamp in LAMPS]
MINUTE = 60_000


def failed(lamp: int, begin: int, end: int | None, must: bool = True, tolerance_s: float = 0) -> Expected:
    """From minute to minute."""
    cleared = None if end is None else end * MINUTE
    return Expected("unpowered", f"lamp-{lamp}", must, (Step(begin * MINUTE, 0),), cleared, tolerance_s)


def found(alerts: list[Expected], clock: Clock = "past") -> list[ExpectedIncident]:
    return expected_incidents(LAMPS, HEARD, alerts, clock)


def test_it_knows_what_the_shipped_rule_says() -> None:
    assert (OUTAGE.id, OUTAGE.of, OUTAGE.by) == (incidents.RULE, incidents.OF, incidents.BY)
    assert OUTAGE.alone == (incidents.ALONE,)
    assert (OUTAGE.share, OUTAGE.least) == (incidents.SHARE, incidents.LEAST)
    assert incidents.WITHIN_MS == incidents.DWINDLED_MS == 1000 * OUTAGE.within_s == 1000 * OUTAGE.delay_off_s


def test_a_panel_stands_for_its_feeders() -> None:
    assert found([failed(lamp, lamp, 60) for lamp in range(1, 11)]) == [
        ExpectedIncident("outage", "panel", "P-01", True, 10, 6 * MINUTE, 60 * MINUTE, 0)
    ]
    (one,) = found([failed(lamp, 0, None) for lamp in range(1, 6)])
    assert (one.by, one.name, one.devices, one.closed_ms) == ("feeder", "N", 5, None)


def test_of_devices_that_were_never_heard_nobody_misses_any() -> None:
    assert expected_incidents(LAMPS, HEARD[:5], [failed(lamp, 0, 9) for lamp in range(1, 6)], "past")[0].by == "panel"


def test_what_alerts_that_may_come_or_not_would_change_may_come_or_not() -> None:
    (one,) = found([failed(lamp, 0, 9, must=lamp < 5) for lamp in range(1, 6)])
    assert not one.must
    assert {each.must for each in found([failed(lamp, 0, 9, must=lamp < 10) for lamp in range(1, 11)])} == {False}


def test_live_the_times_are_as_sure_as_it_is_who_comes_first() -> None:
    (one,) = found([failed(lamp, lamp, 60, tolerance_s=2) for lamp in range(1, 11)], "live")
    assert one.tolerance_s == 2 + 9 * 60


def test_of_a_cabinet_one_alert_is_enough_and_it_is_one_of_them() -> None:
    gone = Expected("cabinet_no_mains", "panel-01", True, (Step(0, 2),), 60 * MINUTE, 0)
    alerts = [gone, failed(1, 1, 70), failed(2, 2, 62)]
    assert expected_incidents([*LAMPS, CABINET], [*HEARD, "panel-01"], alerts, "past") == [
        ExpectedIncident("outage", "panel", "P-01", True, 3, 0, 70 * MINUTE, 0)
    ]


@given(
    st.lists(
        st.tuples(st.integers(1, 10), st.sampled_from([0, 1, 8, 12, 30, 31, 40]), st.sampled_from([1, 5, 12, 45, 99])),
        min_size=1, max_size=25,
    ),
    st.lists(st.tuples(st.sampled_from([0, 1, 11, 30]), st.sampled_from([1, 12, 45])), max_size=2),
)  # fmt: skip
def test_the_server_comes_to_the_same(failures: list[tuple[int, int, int]], mains: list[tuple[int, int]]) -> None:
    alerts = [failed(lamp, begin, begin + lasts) for lamp, begin, lasts in failures]
    alerts += [
        Expected("cabinet_no_mains", "panel-01", True, (Step(begin * MINUTE, 2),), (begin + lasts) * MINUTE, 0)
        for begin, lasts in mains
    ]
    spells = [
        Spell(number, each.device_id, _time(each.steps[0].at_ms), _time(each.cleared_ms or 0),
              each.rule in OUTAGE.alone)
        for number, each in enumerate(alerts)
    ]  # fmt: skip
    ours = outages(spells, quorum(OUTAGE, len(LAMPS) + 1), None)
    theirs = expected_incidents([*LAMPS, CABINET], [*HEARD, "panel-01"], alerts, "past")
    theirs = [each for each in theirs if each.by == "panel"]
    assert [(each.begin, each.end, len({spells[m].device for m in each.members})) for each in ours] == [
        (_time(each.opened_ms), _time(each.closed_ms or 0), each.devices) for each in theirs
    ]


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
