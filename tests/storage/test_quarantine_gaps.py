"""Missing numbers: as many as a count by hand finds, none that is in quarantine, and disjoint hours add up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.completeness import HOUR, completeness, expected, spread
from devices.kinds import KINDS
from storage.quarantine_gaps import Missing, missing, missing_by_hour, without
from tests.storage.world import GAUGE, NOW, World, minutes, packet

pytestmark = pytest.mark.same_tables

KIND = KINDS["water_level"]
BASE = NOW - 6 * HOUR
GAP = Missing("a", 10, 20, BASE, BASE + 2 * HOUR)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(5, 25)), max_size=30))
def test_cut_as_by_hand(there: list[tuple[str, int]]) -> None:
    left = [n for part in without([GAP], there) for n in range(part.first, part.last + 1)]
    assert left == [n for n in range(10, 21) if ("a", n) not in there]


@given(st.integers(1, 5_000), st.integers(1, 400_000), st.integers(0, 3_600))
def test_spread_keeps_every_number_between_the_readings(count: int, seconds: int, offset: int) -> None:
    after = BASE + timedelta(seconds=offset)
    until = after + timedelta(seconds=seconds)
    hours = spread(100, 99 + count, after, until)
    assert sum(hours.values()) == count
    assert all(after - HOUR < hour <= until and number > 0 for hour, number in hours.items())


def test_a_clock_that_went_back_puts_all_where_the_gap_ended() -> None:
    assert spread(5, 7, NOW, NOW - HOUR) == {NOW - HOUR: 3}


async def test_ranges_between_their_readings(world: World) -> None:
    told = {1: 0, 2: 1, 5: 4, 6: 5, 9: 180}
    await world.send(
        [packet(GAUGE.id, {"ts": BASE + minutes(m), "seq": s, "boot": "a", "level_m": 1}) for s, m in told.items()]
    )
    found = await missing(world.conn, KIND, GAUGE.id, BASE, NOW)
    assert found == [
        Missing("a", 3, 4, BASE + minutes(1), BASE + minutes(4)),
        Missing("a", 7, 8, BASE + minutes(5), BASE + minutes(180)),
    ]
    # A gap belongs to the range of the reading that ends it, whatever the range begins with.
    assert await missing(world.conn, KIND, GAUGE.id, BASE + minutes(2), BASE + minutes(5)) == found[:1]
    assert await missing(world.conn, KIND, GAUGE.id, BASE + HOUR, NOW) == found[1:]
    assert await missing_by_hour(world.conn, KIND, GAUGE.id, BASE, NOW) == {BASE: 2, BASE + HOUR: 1, BASE + 2 * HOUR: 1}


async def test_what_is_in_quarantine_is_not_missing(world: World) -> None:
    readings = [{"ts": BASE + minutes(n), "seq": n, "boot": "a", "level_m": 1} for n in (1, 2, 5)]
    wrong = {"ts": NOW + 7 * HOUR, "seq": 4, "boot": "a", "level_m": 1}
    await world.send([packet(GAUGE.id, each) for each in [*readings, wrong]])
    found = await missing(world.conn, KIND, GAUGE.id, BASE, NOW)
    assert [(each.first, each.last, each.numbers) for each in found] == [(3, 3, 1)]


async def test_a_boot_after_another_begins_at_0(world: World) -> None:
    """The first may have begun before anybody listened; a later one that came in the middle has lost its beginning."""
    told = [("a", 40, 0), ("a", 41, 1), ("b", 3, 10), ("b", 5, 12), ("c", 0, 20)]
    await world.send(
        [packet(GAUGE.id, {"ts": BASE + minutes(m), "seq": s, "boot": b, "level_m": 1}) for b, s, m in told]
    )
    found = await missing(world.conn, KIND, GAUGE.id, BASE, NOW)
    assert found == [
        Missing("b", 0, 2, BASE + minutes(1), BASE + minutes(10)),
        Missing("b", 4, 4, BASE + minutes(10), BASE + minutes(12)),
    ]
    # In the range of the reading that ends it, and in no other.
    assert await missing(world.conn, KIND, GAUGE.id, BASE + minutes(5), BASE + minutes(11)) == found[:1]
    assert await missing(world.conn, KIND, GAUGE.id, BASE + minutes(11), NOW) == found[1:]
    # An earlier number of that boot, told later and of another time, shows where it began.
    late = {"ts": BASE + minutes(30), "seq": 0, "boot": "b", "level_m": 1}
    await world.send([packet(GAUGE.id, late)])
    found = await missing(world.conn, KIND, GAUGE.id, BASE, BASE + minutes(11))
    assert [(each.first, each.last) for each in found] == []


@pytest.mark.parametrize("seed", range(3))
async def test_hours_add_up_to_a_count_by_hand(world: World, seed: int) -> None:
    """Late arrivals and a second boot included; each hour asked for alone gives what the whole range gave."""
    import random

    chance = random.Random(seed)
    sent = [(boot, n) for boot in "ab" for n in range(120) if chance.random() < 0.7]
    chance.shuffle(sent)
    for boot, n in sent:
        at = BASE + minutes(n + (120 if boot == "b" else 0))
        await world.send([packet(GAUGE.id, {"ts": at, "seq": n, "boot": boot, "level_m": 1})])
    ends = {boot: [n for b, n in sent if b == boot] for boot in "ab"}
    # The second boot counts from 0; the first may have begun before.
    by_hand = sum(max(seqs) - first + 1 - len(seqs) for first, seqs in ((min(ends["a"]), ends["a"]), (0, ends["b"])))
    whole = await missing_by_hour(world.conn, KIND, GAUGE.id, BASE, NOW)
    assert sum(whole.values()) == by_hand
    for n in range(6):
        alone = await missing_by_hour(world.conn, KIND, GAUGE.id, BASE + n * HOUR, BASE + (n + 1) * HOUR)
        assert alone == {hour: count for hour, count in whole.items() if hour == BASE + n * HOUR}


def test_expected_by_the_interval() -> None:
    """A lamp reports every hour by day (noon in Asahan is 05:00 UTC), every quarter at night, and is never blamed."""
    noon, night = NOW.replace(hour=5), NOW.replace(hour=17)
    place = (2.98, 99.6)
    lamp = KINDS["streetlight"]
    assert [expected(lamp, hour, NOW + 24 * HOUR, *place) for hour in (noon, night)] == [1, 4]
    assert expected(lamp, night, NOW + 24 * HOUR, float("nan"), float("nan")) == 1
    assert expected(KIND, NOW, NOW + 24 * HOUR, *place) == 3600 // KIND.interval_s
    assert expected(KIND, NOW, NOW + HOUR / 2, *place) == 1800 // KIND.interval_s
    assert expected(KIND, NOW, NOW - HOUR, *place) == 0
    assert (completeness(0, 4), completeness(5, 4), completeness(0, 0)) == (0.0, 1.0, None)
