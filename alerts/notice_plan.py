"""The notice plan: who is told of which alerts, on what, how soon and in which order. Data with exact errors. Pure.

Where a channel's URL comes from is said here, the URL itself is read when something is sent: a plan holds no secret
that printing it would show.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import time
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError, field_validator
from pydantic import model_validator as validator

from alerts.installation import KIND as INSTALLATION
from alerts.rule import RuleId
from devices.kinds import KINDS

Language = Literal["id", "en"]
By = Literal["rule", "district", "kind", "river", "panel", "feeder", "site", "severity", "device"]
Severity = Annotated[int, Field(ge=0, le=3)]

# "duty:bpbd" in a step: whoever of team bpbd is on duty then.
DUTY = "duty:"
WEEK_S = 7 * 86_400
SEVERITIES = 4
SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30})://")

# Comma and colon part names in texts and in steps.
Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f:,]{1,64}$", strip_whitespace=True)]
Target = Annotated[str, StringConstraints(pattern=rf"^({DUTY})?[^\x00-\x1f:,]{{1,64}}$")]
# For each severity, s; one number is for all but the worst, which never waits.
Seconds = Annotated[int, Field(ge=0, le=WEEK_S)]
Waits = Annotated[tuple[Seconds, ...], Field(min_length=SEVERITIES, max_length=SEVERITIES)]


class PlanError(Exception):
    """A notice plan is wrong; each line of the message names the table and the field."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Channel(_Table):
    """One way to reach somebody: an Apprise URL, given here, in an environment variable or in a file."""

    name: Name
    url: SecretStr | None = None
    url_env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    url_file: Annotated[str, StringConstraints(pattern=r"^[^\x00]{1,4000}$")] | None = None

    @validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.url, self.url_env, self.url_file)) != 1:
            raise ValueError("needs one of url, url_env and url_file")
        return self

    @property
    def source(self) -> Literal["url", "url_env", "url_file"]:
        """Which of them it has."""
        return "url_env" if self.url_env is not None else "url_file" if self.url_file is not None else "url"


class Person(_Table):
    """Somebody who is told, on all of these channels. A group chat is a person, too."""

    name: Name
    channels: tuple[Name, ...] = Field(min_length=1, max_length=20)
    language: Language = "id"


class Team(_Table):
    """A team of the roster. fallback: who is told while nobody of it is on duty."""

    name: Name
    fallback: tuple[Name, ...] = Field(min_length=1, max_length=50)


class Step(_Table):
    """after_s: so long after the first message, if nobody has acknowledged the alert, these are told as well."""

    after_s: int = Field(default=0, ge=0, le=WEEK_S)
    to: tuple[Target, ...] = Field(min_length=1, max_length=50)


class Quiet(_Table):
    """Between these times of day less severe alerts wait, and come as one digest at the end."""

    since: time = Field(alias="from")
    until: time
    below_severity: int = Field(default=2, ge=1, le=3)

    @field_validator("since", "until", mode="before")
    @classmethod
    def _clock(cls, given: object) -> object:
        if isinstance(given, str) and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", given):
            raise ValueError(f"{given!r} is no time of day; write 22:00")
        return given

    @validator(mode="after")
    def _some_time(self) -> Self:
        if self.since == self.until:
            raise ValueError("from and until are the same time of day")
        return self


class Route(_Table):
    """Which alerts, and how people are told of them. Empty filters let all through.

    wait_s: what comes so long after the first goes out with it. interval_s: from one message of a group to the next.
    repeat_s: told again after so long while nobody has acknowledged it (0: never). by: what makes a group.
    """

    name: Name
    kinds: frozenset[str] = frozenset()
    districts: frozenset[str] = frozenset()
    rules: frozenset[RuleId] = frozenset()
    min_severity: Severity = 0
    max_severity: Severity = 3
    go_on: bool = Field(default=False, alias="continue")
    wait_s: Waits = (30, 30, 30, 0)
    interval_s: Waits = (300, 300, 300, 0)
    repeat_s: int = Field(default=0, ge=0, le=WEEK_S)
    by: tuple[By, ...] = Field(default=("rule", "district"), max_length=len(get_args(By)))
    steps: tuple[Step, ...] = Field(min_length=1, max_length=10)
    quiet: Quiet | None = None

    @field_validator("wait_s", "interval_s", mode="before")
    @classmethod
    def _each(cls, given: object) -> object:
        if isinstance(given, list | tuple):
            return given
        if not isinstance(given, int) or not 0 <= given <= WEEK_S:
            raise ValueError(f"{given!r} is neither 0 to {WEEK_S} s nor a list of four, for severity 0 to 3")
        return given, given, given, 0

    @field_validator("kinds")
    @classmethod
    def _known(cls, kinds: frozenset[str]) -> frozenset[str]:
        if unknown := sorted(kinds - {*KINDS, INSTALLATION}):
            raise ValueError(f"{unknown[0]!r} is unknown; known are {', '.join(sorted(KINDS))} and {INSTALLATION}")
        return kinds

    @field_validator("repeat_s")
    @classmethod
    def _not_at_once(cls, repeat_s: int) -> int:
        if 0 < repeat_s < 60:
            raise ValueError("0 (never), or at least 60 s")
        return repeat_s

    @field_validator("steps")
    @classmethod
    def _later_and_later(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if steps and steps[0].after_s != 0:
            raise ValueError("the first step is told at once: its after_s is 0")
        if any(later.after_s <= before.after_s for before, later in pairwise(steps)):
            raise ValueError("after_s must rise from step to step")
        return steps

    @validator(mode="after")
    def _some_severity(self) -> Self:
        if self.max_severity < self.min_severity:
            raise ValueError(f"max_severity {self.max_severity} is below min_severity {self.min_severity}")
        return self


class Plan(_Table):
    """All of it, checked. Of routes in order the first that takes an alert is the last, unless it goes on."""

    channels: tuple[Channel, ...] = ()
    people: tuple[Person, ...] = ()
    teams: tuple[Team, ...] = ()
    routes: tuple[Route, ...] = ()

    def channel(self, name: str) -> Channel | None:
        return next((each for each in self.channels if each.name == name), None)

    def person(self, name: str) -> Person | None:
        return next((each for each in self.people if each.name == name), None)

    def team(self, name: str) -> Team | None:
        return next((each for each in self.teams if each.name == name), None)

    def route(self, name: str) -> Route | None:
        return next((each for each in self.routes if each.name == name), None)


class _Kind(NamedTuple):
    field: str
    model: type[_Table]


TABLES = {
    "channel": _Kind("channels", Channel),
    "person": _Kind("people", Person),
    "team": _Kind("teams", Team),
    "route": _Kind("routes", Route),
}
EVERYBODY, EVERYTHING = "everybody", "all"


def parse(text: str, origin: str) -> Plan:
    """The plan of a TOML text. Raises PlanError with a line for everything wrong: the origin, the table, the field."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{origin}: {error}") from None
    wrong = [f"{name}: a plan holds tables {_tables()} and nothing else" for name in given if name not in TABLES]
    found: dict[str, tuple[Any, ...]] = {}
    for name, (field, model) in TABLES.items():
        tables = given.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            wrong.append(f"{name}: write each as a table [[{name}]]")
            continue
        made, faults = _made(name, model, tables)
        found[field], wrong = made, wrong + faults
    if not wrong:
        plan = Plan(**found)
        wrong = list(_faults_together(plan))
    if wrong:
        raise PlanError("\n".join(f"{origin}: {line}" for line in wrong))
    return plan


def simple(urls: str | None, least_severity: int) -> Plan:
    """The plan of two settings: every alert of that severity goes to all URLs at once, each by itself."""
    channels = []
    for number, url in enumerate((urls or "").split(), 1):
        scheme = SCHEME.match(url)
        # The place among them and the kind of service, no more.
        channels.append(Channel(name=f"{number} {scheme[1] if scheme else '?'}", url=SecretStr(url)))
    if not channels:
        return Plan()
    person = Person(name=EVERYBODY, channels=tuple(each.name for each in channels))
    at_once = (0,) * SEVERITIES
    route = Route(
        name=EVERYTHING, min_severity=least_severity, wait_s=at_once, interval_s=at_once, by=("rule", "device"),
        steps=(Step(to=(EVERYBODY,)),),
    )  # fmt: skip
    return Plan(channels=tuple(channels), people=(person,), routes=(route,))


def _tables() -> str:
    return ", ".join(f"[[{name}]]" for name in TABLES)


def _made(name: str, model: type[_Table], tables: Iterable[dict[str, Any]]) -> tuple[tuple[Any, ...], list[str]]:
    made, wrong = [], []
    for number, table in enumerate(tables, 1):
        called = table.get("name", number)
        try:
            made.append(model.model_validate(table))
        except ValidationError as error:
            wrong += [f"{name} {called!r}: {line}" for line in map(_line, error.errors(include_input=False))]
    return tuple(made), wrong


def _line(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{field}: {message}" if field else message


def _faults_together(plan: Plan) -> Iterator[str]:
    for name, (field, _) in TABLES.items():
        times = Counter(each.name for each in getattr(plan, field))
        yield from (f"{name} {called!r} is there {n} times" for called, n in times.items() if n > 1)
    for person in plan.people:
        for channel in person.channels:
            if plan.channel(channel) is None:
                yield f"person {person.name!r}: channels: there is no [[channel]] {channel!r}"
    for team in plan.teams:
        for name in team.fallback:
            if plan.person(name) is None:
                yield f"team {team.name!r}: fallback: there is no [[person]] {name!r}"
    for route in plan.routes:
        for number, step in enumerate(route.steps):
            yield from (f"route {route.name!r}: steps.{number}.to: {fault}" for fault in _faults_of_targets(plan, step))


def _faults_of_targets(plan: Plan, step: Step) -> Iterator[str]:
    for target in step.to:
        if target.startswith(DUTY):
            if plan.team(target.removeprefix(DUTY)) is None:
                yield f"{target!r}: there is no [[team]] of that name, with a fallback"
        elif plan.person(target) is None:
            yield f"there is no [[person]] {target!r}"
