"""Waiting for ingest and rollups: as long as something changes, and no longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from siaga.verify import waiting
from siaga.verify.waiting import Progress, wait


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_S", 0.001)


def measures(*of: Progress) -> Iterator[Progress]:
    yield from of
    while True:
        yield of[-1]


def test_until_all_has_arrived_and_is_rolled_up() -> None:
    course = measures(Progress(0, 2, 0), Progress(2, 2, 5), Progress(2, 2, 0))
    told: list[str] = []
    assert wait(lambda: next(course), 60, told.append) == Progress(2, 2, 0)
    assert told == ["waiting: 0 of 2 have arrived, 0 buckets are not rolled up yet"]


def test_no_longer_than_something_changes() -> None:
    course = measures(Progress(0, 2, 0), Progress(1, 2, 0))
    assert wait(lambda: next(course), 0.05, lambda line: None) == Progress(1, 2, 0)


def test_without_patience_it_looks_once() -> None:
    course = measures(Progress(0, 2, 0), Progress(2, 2, 0))
    assert wait(lambda: next(course), 0, lambda line: None) == Progress(0, 2, 0)
