"""What a dry-run of rules comes to, as it is answered: totals, days, and the price alert by alert."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from alerts.engine import Transition
from alerts.rules_compare import Changed, Price, Stood, Stories, by_day, price, short
from alerts.rules_tally import Tally, Total, sentence
from api.params import Window
from storage.as_json import time_text
from storage.rules_replay import Ran


@dataclass
class Told:
    """What a run of rules says: how many alerts, and each of them."""

    tally: Tally = field(default_factory=Tally)
    stories: Stories = field(default_factory=Stories)

    def add(self, transitions: list[Transition]) -> None:
        self.tally.add(transitions)
        self.stories.add(transitions)


def answer(asked: Window, ran: Ran, current: Told, candidate: Told | None, zone: tzinfo) -> dict[str, Any]:
    until = asked.until.timestamp()
    before, after = current.tally.total(), candidate.tally.total() if candidate else None
    told = sentence(before, after)
    return {
        "from": time_text(asked.since),
        "to": time_text(asked.until),
        **ran._asdict(),
        "current": _total(before),
        "candidate": _total(after) if after else None,
        "sentence": {"id": told.id, "en": told.en},
        "days": _days([by_day(each.stories, until, zone) for each in (current, candidate) if each]),
        "short": {
            "current": short(current.stories, until),
            "candidate": short(candidate.stories, until) if candidate else None,
        },
        "price": _price(price(current.stories, candidate.stories, until)) if candidate else None,
    }


def _total(total: Total) -> dict[str, Any]:
    return total._asdict() | {"top": [each._asdict() for each in total.top]}


def _days(counts: Sequence[Counter[date]]) -> list[dict[str, Any]]:
    candidate = counts[1] if len(counts) > 1 else None
    return [
        {"day": day.isoformat(), "current": counts[0][day], "candidate": None if candidate is None else candidate[day]}
        for day in sorted(set[date]().union(*counts))
    ]


def _price(found: Price) -> dict[str, Any]:
    return found._asdict() | {"named": list(map(_changed, found.named))}


def _changed(each: Changed) -> dict[str, Any]:
    told = {"what": each.what, "rule": each.rule, "device_id": each.device_id, "severity": each.severity}
    return told | {"before": _stood(each.before), "after": _stood(each.after)}


def _stood(each: Stood | None) -> dict[str, Any] | None:
    if each is None:
        return None
    begin, end = (time_text(datetime.fromtimestamp(at, UTC)) for at in (each.begin, each.end))
    return {"begin": begin, "end": end, "severity": each.severity}
