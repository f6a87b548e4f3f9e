"""`siaga rules test`: timelines as data files. Readings at a time, and what they are expected to do to alerts.

Readings go through the intake and the engine that ingest runs; each is a batch of its own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from alerts.engine import Engine, Evaluated, Transition, evaluate
from alerts.rule import Rule, parse
from alerts.silence import find_silent
from devices.batch import Packet
from devices.device import Device, check
from devices.fleet import Fleet
from devices.kinds import KINDS
from devices.payload import encode
from devices.topics import readings_topic
from ingest.intake import Limits, take_in
from runtime.settings import Settings

REGION = "12.09"
CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
DEVICE_FIELDS = {"kind", "name", "district", "lat", "lon"}


class TimelineError(Exception):
    """A timeline file is wrong; the message names the file and the field."""


When = float | str


class Step(BaseModel):
    """A reading, or with `clock` a look for silent devices. Other names than these are values of the reading."""

    model_config = ConfigDict(frozen=True, extra="allow")

    at: When | None = None
    clock: When | None = None
    device: str | None = None
    received: When | None = None
    qc: int | None = Field(default=None, ge=1, le=9)
    qc_reason: int = Field(default=0, ge=0, le=1023)
    expect: str | tuple[str, ...] = ()


class File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str | None = None
    begin: AwareDatetime
    device: dict[str, dict[str, Any]] = Field(min_length=1)
    step: tuple[Step, ...] = Field(min_length=1)


class Timeline(NamedTuple):
    """rule: the one that is tried, enabled or not; None: all that are in force."""

    rule: str | None
    begin: datetime
    fleet: Fleet
    steps: tuple[Step, ...]


def read_rules(file: Path) -> tuple[Rule, ...]:
    """The rules of a file. Raises RuleError, OSError."""
    return parse(file.read_text("utf-8"), str(file))


def read_timeline(file: Path) -> Timeline:
    """Raises TimelineError naming the file and the field, OSError."""
    try:
        told = File.model_validate(tomllib.loads(file.read_text("utf-8")))
    except ValidationError as error:
        lines = (f"{file}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise TimelineError("\n".join(lines)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TimelineError(f"{file}: {error}") from None
    fleet = Fleet([_device(file, name, fields) for name, fields in told.device.items()])
    timeline = Timeline(told.rule, told.begin, fleet, told.step)
    for number, step in enumerate(told.step):
        for problem in _problems(timeline, step):
            raise TimelineError(f"{file}: step.{number}: {problem}")
    return timeline


def differences(timeline: Timeline, rules: tuple[Rule, ...]) -> list[str]:
    """Where what happens is not what is expected, in words. Empty: all as expected."""
    return list(_played(timeline, rules))


def told(transition: Transition) -> str:
    """A transition in a few words: raised siaga 3, eased severity 1, cleared; (historical) behind it."""
    level = f" siaga {transition.siaga}" if transition.siaga else f" severity {transition.to_severity}"
    mark = " (historical)" if transition.historical else ""
    return f"{transition.what}{'' if transition.what == 'cleared' else level}{mark}"


def _played(timeline: Timeline, rules: tuple[Rule, ...]) -> Iterator[str]:
    chosen = rules
    if timeline.rule is not None:
        chosen = tuple(rule.model_copy(update={"enabled": True}) for rule in rules if rule.id == timeline.rule)
        if not chosen:
            yield f"rule {timeline.rule}: there is none"
            return
    engine = Engine(chosen)
    engine.fit(timeline.fleet)
    limits = Limits.of(Settings.model_construct())
    for step in timeline.steps:
        evaluated = _taken(timeline, engine, step, limits)
        if isinstance(evaluated, str):
            yield f"{_named(timeline, step)}: {evaluated}"
            continue
        engine.apply(evaluated)
        happened = [_words(each, timeline) for each in evaluated.transitions]
        expected = [step.expect] if isinstance(step.expect, str) else list(step.expect)
        if sorted(happened) != sorted(expected):
            yield f"{_named(timeline, step)}: expected {_listed(expected)}, got {_listed(happened)}"


def _taken(timeline: Timeline, engine: Engine, step: Step, limits: Limits) -> Evaluated | str:
    if step.clock is not None:
        listening_since = timeline.begin - timedelta(days=30)
        return find_silent(engine, timeline.fleet, _time(timeline, step.clock), listening_since)
    device, at = _device_of(timeline, step), _time(timeline, step.at)
    arrived = at if step.received is None else _time(timeline, step.received)
    payload = encode({"ts": at, **(step.model_extra or {})})
    batch = take_in([Packet(readings_topic(REGION, device.id), payload, arrived)], timeline.fleet, limits)
    if batch.quarantined:
        return f"goes to quarantine: {batch.quarantined[0].detail}"
    readings = batch.readings
    if step.qc is not None:
        readings = [replace(each, qc=np.full(len(each), step.qc, dtype=np.int16)) for each in readings]
    if step.qc_reason:
        readings = [replace(each, reason=each.reason | step.qc_reason) for each in readings]
    return evaluate(engine, timeline.fleet, readings)


def _words(transition: Transition, timeline: Timeline) -> str:
    """With the rule where several are tried, with the device where there are several."""
    rule = "" if timeline.rule else f"{transition.key.rule} "
    device = f"{transition.key.device_id}: " if len(timeline.fleet) > 1 else ""
    return f"{device}{rule}{told(transition)}"


def _named(timeline: Timeline, step: Step) -> str:
    if step.clock is not None:
        return f"clock {step.clock}"
    values = ", ".join(f"{name} {value}" for name, value in (step.model_extra or {}).items())
    return f"{step.at} {_device_of(timeline, step).id} ({values})"


def _listed(what: list[str]) -> str:
    return ", ".join(f"“{each}”" for each in what) or "nothing"


def _device(file: Path, name: str, fields: Mapping[str, Any]) -> Device:
    own = {field: value for field, value in fields.items() if field in DEVICE_FIELDS}
    attributes = {field: value for field, value in fields.items() if field not in DEVICE_FIELDS}
    made = check(Device(name, **{"kind": "", **own}, region=REGION, attributes=attributes))
    if isinstance(made, list):
        raise TimelineError("\n".join(f"{file}: device.{name}.{each.field}: {each.message}" for each in made))
    return made


def _problems(timeline: Timeline, step: Step) -> Iterator[str]:
    """What is wrong with a step."""
    if (step.at is None) == (step.clock is None):
        yield "needs either at or clock"
        return
    for field in ("at", "clock", "received"):
        when = getattr(step, field)
        if isinstance(when, str) and not CLOCK.fullmatch(when):
            yield f"{field}: {when!r} is neither seconds after begin nor HH:MM"
    if step.clock is None:
        if step.device is None and len(timeline.fleet) > 1:
            yield f"device: there are {', '.join(timeline.fleet.ids)}; name one"
        elif step.device is not None and timeline.fleet.get(step.device) is None:
            yield f"device: {step.device!r} is none of {', '.join(timeline.fleet.ids)}"
        else:
            known = KINDS[_device_of(timeline, step).kind].wire_fields
            if unknown := sorted((step.model_extra or {}).keys() - known):
                yield f"{', '.join(unknown)}: not told by this kind"


def _device_of(timeline: Timeline, step: Step) -> Device:
    found = timeline.fleet.get(step.device) if step.device else timeline.fleet.devices[0]
    assert found is not None
    return found


def _time(timeline: Timeline, when: When | None) -> datetime:
    """Seconds after the beginning; or the time of day of its zone, of the next day where it is earlier."""
    assert when is not None
    begin = timeline.begin
    if not isinstance(when, str):
        return (begin + timedelta(seconds=when)).astimezone(UTC)
    match = CLOCK.fullmatch(when)
    assert match is not None
    at = datetime.combine(begin.date(), time(int(match[1]), int(match[2]), int(match[3] or 0)), begin.tzinfo)
    return (at if at >= begin else at + timedelta(days=1)).astimezone(UTC)
