"""Quantiles out of buckets, against those of all values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.load.latency import GROWTH, LEAST_S, QUANTILES, Histogram, table

SECONDS = st.lists(st.floats(LEAST_S, 1_000), min_size=1, max_size=200)


def filled(values: list[float]) -> Histogram:
    made = Histogram()
    made.add(values)
    return made


@given(values=SECONDS)
def test_a_quantile_is_at_most_a_bucket_too_high(values: list[float]) -> None:
    made = filled(values)
    for share in QUANTILES:
        exact = sorted(values)[math.ceil(share * len(values)) - 1]
        assert exact * (1 - 1e-9) <= made.quantile(share) <= exact * GROWTH * (1 + 1e-9)
    assert made.greatest_s == max(values)
    assert made.quantile(1) == max(values)


@given(one=SECONDS, other=SECONDS)
def test_two_merged_are_one_of_both(one: list[float], other: list[float]) -> None:
    merged, both = filled(one), filled(one + other)
    merged.merge(filled(other))
    assert np.array_equal(merged.counts, both.counts)
    assert merged.greatest_s == both.greatest_s
    assert len(merged) == len(one) + len(other)


def test_what_is_out_of_range_is_counted_at_its_end() -> None:
    made = filled([0.0, -1.0, 1e9])
    assert len(made) == 3
    assert made.quantile(0.5) == pytest.approx(LEAST_S * GROWTH)
    assert made.greatest_s == 1e9


def test_nothing_has_no_quantile() -> None:
    made = filled([])
    assert len(made) == 0
    assert math.isnan(made.quantile(0.5))


def test_the_table_has_a_row_for_each_and_says_where_nothing_was_seen() -> None:
    head, one, none = table({"publish → ack": filled([0.0015] * 1_500 + [2.0]), "publish → SSE": Histogram()})
    assert head.split() == ["n", "p50", "p90", "p99", "p99.9", "max", "ms"][:-1]
    assert one.split()[:4] == ["publish", "→", "ack", "1,501"]
    assert one.split()[-2:] == ["2,000.0", "ms"]
    assert none.split()[3:] == ["0", "-", "-", "-", "-", "-", "ms"]
