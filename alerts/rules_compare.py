"""What a candidate changes, alert by alert, beside the rules in force: the price of a change of rules. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from statistics import median
from typing import Literal, NamedTuple

from alerts.advice_changes import SEVERE
from alerts.advice_course import Course
from alerts.engine import Transition
from alerts.rule import Key

What = Literal["lost", "milder", "later", "sooner", "joined", "new"]
# An alert that is over sooner than somebody could have gone there.
SHORT_S = 1_800.0
# An alert that ended as it began was there all the same.
MOMENT_S = 0.001
# So many of each are named, the newest.
NAMED_MOST = 50


class Stood(NamedTuple):
    """One alert, from its first moment to its last. Times in s since 1970; severity: its worst."""

    begin: float
    end: float
    severity: int


class Changed(NamedTuple):
    """One alert that differs. before or after is None where there is none."""

    what: What
    rule: str
    device_id: str
    before: Stood | None
    after: Stood | None

    @property
    def severity(self) -> int:
        """The worst it was by the rules in force; of a new one, the worst it would be."""
        stood = self.before or self.after
        assert stood is not None
        return stood.severity


class Price(NamedTuple):
    """counts: changed alerts by what changes. later_s: by how much those that come later do, in the middle.
    severe: lost or milder, and were severe. named: some of each, those that were severe first, then the newest."""

    same: int
    counts: dict[What, int]
    later_s: float | None
    severe: int
    named: list[Changed]


@dataclass
class Stories:
    """Every alert that people were shown, in the order in which a run told it."""

    _courses: dict[Key, Course] = field(default_factory=dict)

    def add(self, transitions: Iterable[Transition]) -> None:
        for each in transitions:
            self._courses.setdefault(each.key, Course()).add((each,))

    def keys(self) -> set[Key]:
        return set(self._courses)

    def of(self, key: Key, until: float) -> list[Stood]:
        """The alerts of a rule on a device, oldest first; what stands at the end ends then."""
        course = self._courses.get(key)
        if course is None:
            return []
        begins, ends = (edge.tolist() for edge in course.spans(0, until))
        times, levels = course.times.tolist(), course.levels.tolist()
        found = []
        for begin, end in zip(begins, ends, strict=True):
            first = bisect_left(times, begin)
            worst = max(levels[first : max(first + 1, bisect_left(times, end))])
            found.append(Stood(begin, max(end, begin + MOMENT_S), worst))
        return found

    def all(self, until: float) -> Iterator[Stood]:
        for key in self._courses:
            yield from self.of(key, until)


def price(before: Stories, after: Stories, until: float) -> Price:
    """What the candidate would have made of each alert. until: the end of both, s."""
    same = 0
    changed: list[Changed] = []
    for key in sorted(before.keys() | after.keys()):
        found = list(_compared(key, before.of(key, until), after.of(key, until)))
        changed += [each for each in found if each is not None]
        same += len(found) - sum(each is not None for each in found)
    late = [
        each.after.begin - each.before.begin for each in changed if each.what == "later" and each.before and each.after
    ]
    costly = [each for each in changed if each.what in ("lost", "milder") and each.severity >= SEVERE]
    return Price(
        same=same,
        counts=dict(Counter(each.what for each in changed)),
        later_s=median(late) if late else None,
        severe=len(costly),
        named=_newest(changed),
    )


def short(stories: Stories, until: float) -> int:
    """Alerts that were over within SHORT_S."""
    return sum(each.end - each.begin < SHORT_S for each in stories.all(until) if each.end < until)


def by_day(stories: Stories, until: float, zone: tzinfo) -> Counter[date]:
    """How many began on each day of the regency."""
    return Counter(datetime.fromtimestamp(each.begin, UTC).astimezone(zone).date() for each in stories.all(until))


def _compared(key: Key, was: Sequence[Stood], now: Sequence[Stood]) -> Iterator[Changed | None]:
    """Each alert of either run, None where it is the same; alerts of one run do not overlap."""
    ends = [each.end for each in now]
    told: set[int] = set()
    for each in was:
        at = bisect_right(ends, each.begin)
        if at == len(now) or now[at].begin >= each.end:
            yield Changed("lost", *key, each, None)
            continue
        what = "joined" if at in told else _difference(each, now[at])
        told.update(_during(now, at, each.end))
        yield Changed(what, *key, each, now[at]) if what else None
    for number, each in enumerate(now):
        if number not in told:
            yield Changed("new", *key, None, each)


def _during(now: Sequence[Stood], at: int, end: float) -> Iterator[int]:
    """Numbers of the alerts that stood before `end`, from one on."""
    yield at
    while (at := at + 1) < len(now) and now[at].begin < end:
        yield at


def _difference(before: Stood, after: Stood) -> What | None:
    if after.severity < before.severity:
        return "milder"
    if after.begin != before.begin:
        return "later" if after.begin > before.begin else "sooner"
    return None


def _newest(changed: Sequence[Changed]) -> list[Changed]:
    def begin(each: Changed) -> float:
        stood = each.before or each.after
        return stood.begin if stood else 0.0

    named: Counter[What] = Counter()
    found = []
    # What was severe first: nobody may overlook it below fifty that were not.
    for each in sorted(changed, key=lambda each: (each.severity < SEVERE, -begin(each))):
        if named[each.what] < NAMED_MOST:
            named[each.what] += 1
            found.append(each)
    return found
