"""Verdicts for people: a line each, what to do under it, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from siaga.doctor.verdict import State, Verdict

MARKS: dict[State, str] = {"ok": "ok", "warning": "WARNING", "problem": "PROBLEM"}
COLOURS: dict[State, str] = {"ok": "\x1b[32m", "warning": "\x1b[33m", "problem": "\x1b[31m"}
PLAIN = "\x1b[0m"


def lines(found: Sequence[Verdict], colour: bool) -> Iterator[str]:
    width = max(len(each.check) for each in found)
    for each in found:
        mark = f"{MARKS[each.state]:<7}"
        yield f"{COLOURS[each.state] + mark + PLAIN if colour else mark}  {each.check:<{width}}  {each.what}"
        if each.cure:
            yield f"{'':<7}  {'':<{width}}  → {each.cure}"
    yield summary(found)


def summary(found: Sequence[Verdict]) -> str:
    count = Counter(each.state for each in found)
    if count["ok"] == len(found):
        return f"all well: {len(found)} checks"
    return f"{_many(count['problem'], 'problem')}, {_many(count['warning'], 'warning')}, {count['ok']} well"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
