"""Does an incident file say what happened? Its readings under its rules must give its transitions. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from alerts.engine import Transition
from alerts.life import OF_THE_RULE
from alerts.rule import BY_WORKER, Key, Rule, Variant
from alerts.rules_replay import Arrived, Replay, readings_of
from devices.device import Device
from devices.fleet import Fleet
from devices.kinds import KINDS

Cells = Mapping[str, str]
# A silence is due at a second and noticed at the next look, SIAGA_STALE_CHECK_S later at most.
LOOKED_LATER = timedelta(minutes=10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Step(NamedTuple):
    """What an alert did; at None where the clock decided, and not a reading."""

    what: str
    severity: int | None
    at: datetime | None


class Compared(NamedTuple):
    """What a rule did on a device by the events, and by the readings."""

    key: Key
    told: tuple[Step, ...]
    recreated: tuple[Step, ...]

    @property
    def same(self) -> bool:
        return self.told == self.recreated


def compare(rule: Mapping[str, Any], readings: Iterable[Cells], events: Iterable[Cells]) -> list[Compared]:
    """Every alert of a file that its readings decide; rule: what rule.json holds, the others rows of their files.

    Up to the first change of the rule under an alert: what one rule had begun another cannot be asked to go on with.
    """
    rules = _rules(rule)
    by_clock = {each.id for each in rules.values() if each.condition == "stale"}
    changed = [each["since"] for each in rule["in_force"][1:]]
    until = datetime.fromisoformat(changed[0]) if changed else datetime.max.replace(tzinfo=UTC)
    told: defaultdict[Key, list[Step]] = defaultdict(list)
    begin: dict[Key, datetime] = {}
    known = {each.id for each in rules.values()}
    for event in events:
        key = Key(event["rule"], event["device_id"])
        of_readings = event["what"] in OF_THE_RULE and not event["why"] and key.rule in known
        if of_readings and datetime.fromisoformat(event["detected_at"]) < until:
            at = datetime.fromisoformat(event["event_at"])
            begin.setdefault(key, at - LOOKED_LATER if key.rule in by_clock else at)
            told[key].append(_step(event["what"], _number(event["to_severity"]), at, key.rule in by_clock))
    made: defaultdict[Key, list[Step]] = defaultdict(list)
    for each in _replayed(tuple(rules.values()), rule["devices"], readings):
        # From its raising on, and no further than it is told of: there were others before, and may be after.
        if each.key in told and each.event_at >= begin[each.key] and len(made[each.key]) < len(told[each.key]):
            made[each.key].append(_step(each.what, each.to_severity, each.event_at, each.key.rule in by_clock))
    return [Compared(key, tuple(steps), tuple(made[key])) for key, steps in sorted(told.items())]


def _rules(rule: Mapping[str, Any]) -> dict[Variant, Rule]:
    found: dict[Variant, Rule] = {}
    for each in [*rule["in_force"][:1], *rule["of_members"]]:
        if each["rule"] is not None:
            made = Rule.model_validate(each["rule"])
            if made.condition not in BY_WORKER:
                found.setdefault(made.variant, made)
    return found


def _replayed(
    rules: tuple[Rule, ...], devices: Sequence[Mapping[str, Any]], readings: Iterable[Cells]
) -> list[Transition]:
    fleet = Fleet([Device(**each) for each in devices])
    batch = [readings_of(each, fleet) for each in _arrived(readings)]
    received = [int(each.received_us[0]) for each in batch if len(each)]
    if not received:
        return []
    last_us = max(int(each.received_us[-1]) for each in batch if len(each))
    replay = Replay(rules, fleet, _time(min(received)), None)
    return [*replay.feed([each for each in batch if len(each)]), *replay.end(_time(last_us))]


def _arrived(readings: Iterable[Cells]) -> Iterator[Arrived]:
    """Readings by kind, in order of arrival."""
    rows: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for cells in readings:
        if cells["device_id"].startswith("#"):
            continue
        kind = KINDS[cells["kind"]]
        values = [float(cells[name]) if cells.get(name) else None for name in kind.metrics]
        times = _microseconds(cells["ts"]), _microseconds(cells["received_at"])
        rows[kind.name].append((cells["device_id"], *times, int(cells["qc"]), int(cells["qc_reason"]), *values))
    for name, found in rows.items():
        yield Arrived(name, tuple(KINDS[name].metrics), sorted(found, key=lambda row: (row[2], row[1], row[0])))


def _step(what: str, severity: int | None, at: datetime, by_clock: bool) -> Step:
    return Step(what, severity, None if by_clock and what == "raised" else at.astimezone(UTC))


def _time(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def _number(text: str) -> int | None:
    return int(text) if text else None


def _microseconds(text: str) -> int:
    since = datetime.fromisoformat(text) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
