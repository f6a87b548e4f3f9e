"""All lives that a rule may lead on one device, given the order of arrival but not how it is cut into batches.

A reading decides if it is newer than every batch before its own, and within a batch the order is that of time. So what
arrives in order always decides, and what arrives late decides if no batch ended since the first newer one came. Time
walks through the readings; where one may decide or not, life goes on both ways. There is exactly one life as long as
everything arrives in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from simulator.truth.course import NOTHING, Ints, Verdicts
from simulator.truth.rules import ExpectedRule

LIVES_MAX = 2_000  # of one rule on one device at a time; a scenario that comes near is a puzzle, not a test


class EntangledError(Exception):
    """Arrivals are too much out of order to follow all that may come of them; the message names rule and time."""


class Turn(NamedTuple):
    """The rung that an alert comes to, and the time of the reading that brings it there."""

    at_ms: int
    rung: int


class Told(NamedTuple):
    """One alert of one life, cleared_ms None while it stands. exact: False when lives that differ between the first
    turn and the end, but not in the first turn to the highest rung, were taken together; then those two turns hold.
    """

    turns: tuple[Turn, ...]
    cleared_ms: int | None = None
    exact: bool = True

    @property
    def worst(self) -> Turn:
        """The first turn to the highest rung."""
        return max(self.turns, key=lambda turn: (turn.rung, -turn.at_ms))


History = tuple[Told, ...]


class Row(NamedTuple):
    """A reading that says something. needs: gaps between packets in which no batch may end if it is to decide,
    as bits; 0 when it decides in any case."""

    ts_ms: int
    reached: int
    held: int
    needs: int


class Life(NamedTuple):
    """rung: that in force. since, for each rung: when readings in a row began to reach it (above the rung in force),
    or to fall short of it (at and below); None when the last one did not. run: how many in a row reach it, counted no
    further than asked for. told: its alerts since all lives were at rest. joined: gaps in which no batch ended; cut: of
    each of these sets of gaps, one or more ended a batch.
    """

    rung: int
    since: tuple[int | None, ...]
    run: tuple[int, ...]
    told: History = ()
    joined: int = 0
    cut: frozenset[int] = frozenset()


def histories(rule: ExpectedRule, ts_ms: Ints, packet: Ints, says: Verdicts) -> Iterator[set[History]]:
    """Sets of possible histories, from a moment when the rule is at rest in all lives to the next such moment, or to
    the end. Readings are in order of arrival, each ts once; packet numbers what arrived together, from 0 without a gap.
    Raises EntangledError.
    """
    rest = Life(0, (None,) * len(rule.rungs), (0,) * len(rule.rungs))
    lives = {rest}
    for rows in _knots(ts_ms, packet, says):
        if lives == {rest} and not any(row.reached > 0 for row in rows):
            continue
        for row in rows:  # one of them, and one life, unless something is out of order
            lives = {after for life in lives for after in _ways(rule, life, row)}
            if len(lives) > LIVES_MAX:
                raise EntangledError(f"rule {rule.name} at ts {row.ts_ms}: more than {LIVES_MAX} courses are possible")
        # Everything still to come is newer than all of these: how they were batched matters no more.
        lives = _alike({life._replace(joined=0, cut=frozenset()) for life in lives})
        if all(life.rung == 0 for life in lives) and any(life.told for life in lives):
            yield {life.told for life in lives}
            lives = {life._replace(told=()) for life in lives}
    if any(life.told for life in lives):
        yield {life.told for life in lives}


def _knots(ts_ms: Ints, packet: Ints, says: Verdicts) -> Iterator[list[Row]]:
    """Rows in order of time, in the smallest lots that are each newer than all before. In order: one row a lot."""
    newest = np.maximum.accumulate(ts_ms)
    oldest_to_come = np.minimum.accumulate(ts_ms[::-1])[::-1]
    begins = np.flatnonzero(np.concatenate([[True], newest[:-1] < oldest_to_come[1:]])).tolist()
    first_newer = packet[np.searchsorted(newest, ts_ms)]  # or its own packet, when nothing newer came before
    # As lists: most lots are single rows, and slices of arrays would cost ten times as much.
    columns = [column.tolist() for column in (ts_ms, says.reached, says.held, packet, first_newer)]
    for begin, end in zip(begins, [*begins[1:], len(ts_ms)], strict=True):
        base = columns[3][begin]
        # The gap before packet i is bit i: a late reading needs all those after the packet of the first newer one.
        rows = [
            Row(ts, reached, held, (2 << own - base) - (2 << newer - base))
            for ts, reached, held, own, newer in zip(*(column[begin:end] for column in columns), strict=True)
            if reached != NOTHING
        ]
        if rows:
            yield sorted(rows)


def _ways(rule: ExpectedRule, life: Life, row: Row) -> tuple[Life, ...]:
    """How a life may go on: the row decides, or it does not."""
    after = _decided(rule, life, row)
    if row.needs & ~life.joined == 0 or after == life:
        return (after,)
    if any(gaps & row.needs == gaps for gaps in life.cut):
        return (life,)
    passed_by = life._replace(cut=frozenset({row.needs, *(gaps for gaps in life.cut if gaps & row.needs != row.needs)}))
    joined = life.joined | row.needs
    if any(gaps & ~joined == 0 for gaps in life.cut):
        return (passed_by,)
    return (after._replace(joined=joined), passed_by)


def _alike(lives: set[Life]) -> set[Life]:
    """Lives without those that differ only in what is not compared. Each open step would double their number."""
    if len(lives) == 1:
        return lives
    found: dict[Life, list[Life]] = {}
    for life in lives:
        found.setdefault(life._replace(told=tuple(map(_blurred, life.told))), []).append(life)
    return {
        one._replace(
            told=tuple(same[0] if len(set(same)) == 1 else _blurred(same[0]) for same in zip(*told, strict=True))
        )
        for one, told in ((alike[0], [life.told for life in alike]) for alike in found.values())
    }


def _blurred(told: Told) -> Told:
    return Told(tuple(dict.fromkeys((told.turns[0], told.worst))), told.cleared_ms, exact=False)


def _decided(rule: ExpectedRule, life: Life, row: Row) -> Life:
    """The life after a reading, as docs/rules.md has it."""
    at, now = row.ts_ms, life.rung
    since, run = list(life.since), list(life.run)
    for i, rung in enumerate(rule.rungs):
        above = i >= now
        if row.reached > i if above else row.held <= i:
            since[i] = at if since[i] is None else since[i]
            run[i] = min(run[i] + 1, rung.samples) if above else 0
        else:
            since[i], run[i] = None, 0
    after = _rung(rule, now, since, run, at)
    # What was above and is so no more, or the other way round, begins anew.
    for i in range(min(now, after), max(now, after)):
        since[i], run[i] = None, 0
    told = life.told if after == now else _continued(life.told, now, Turn(at, after))
    return Life(after, tuple(since), tuple(run), told, life.joined, life.cut)


def _continued(told: History, now: int, turn: Turn) -> History:
    if not now:
        return (*told, Told((turn,)))
    *past, standing = told
    if turn.rung:
        return (*past, standing._replace(turns=(*standing.turns, turn)))
    return (*past, standing._replace(cleared_ms=turn.at_ms))


def _rung(rule: ExpectedRule, now: int, since: list[int | None], run: list[int], at: int) -> int:
    """The highest rung above that is due; else down from rung to rung while each has not been held long enough."""
    for i in range(len(rule.rungs) - 1, now - 1, -1):
        begun, rung = since[i], rule.rungs[i]
        if begun is not None and run[i] >= rung.samples and at - begun >= 1000 * rung.delay_on_s:
            return i + 1
    while now and (short := since[now - 1]) is not None and at - short >= 1000 * rule.delay_off_s:
        now -= 1
    return now
