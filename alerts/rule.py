"""Rules are data: what is watched, from which bounds, how long before raising and before clearing."""

from __future__ import annotations

import operator
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from devices.kind import Kind
from devices.kinds import KINDS

Condition = Literal[
    "above", "below", "lamp_out", "unpowered", "congestion", "stale",
    "day_burner", "low_power", "high_power", "low_power_factor", "cycling", "stopped", "no_flow", "missing",
    "untrusted", "together", "rising", "time_to", "power_shift", "energy_shift", "energy_balance",
]  # fmt: skip
# Judged by the worker from what is stored: several devices at once, and forecasts. All others as readings come.
BY_WORKER: frozenset[Condition] = frozenset(
    ("together", "rising", "time_to", "power_shift", "energy_shift", "energy_balance")
)
# Judged once after each night.
BY_NIGHT: frozenset[Condition] = frozenset(("energy_shift", "energy_balance"))

# Metrics that a condition reads beside the rule's own; conditions that compare with a bound; those that know one rung.
_NEEDED = {
    "lamp_out": ("power_w", "voltage_v", "dimming_pct"),
    "unpowered": ("voltage_v",),
    "congestion": ("speed_kmh", "occupancy_pct"),
    "day_burner": ("power_w",),
    "low_power": ("power_w", "voltage_v", "dimming_pct"),
    "high_power": ("power_w", "dimming_pct"),
    "low_power_factor": ("power_factor", "power_w", "dimming_pct"),
    "cycling": ("switch_count",),
    "stopped": ("speed_kmh", "occupancy_pct", "count"),
    "no_flow": ("count", "occupancy_pct"),
    "rising": ("level_m",),
    "time_to": ("level_m",),
    "power_shift": ("power_w", "contactor_on"),
    "energy_shift": ("energy_wh",),
    "energy_balance": ("energy_wh",),
}
_RISING = ("above", "day_burner", "high_power", "rising", "power_shift", "energy_shift")
_BOUNDED = (
    *_RISING, "below", "unpowered", "congestion", "stopped", "low_power", "low_power_factor", "time_to",
    "energy_balance",
)  # fmt: skip
_ONE_LEVEL = ("lamp_out", "unpowered", "stale", "cycling", "no_flow", "missing", "untrusted", "together")
# What a rule for all kinds may be narrowed to; a rule of one kind also to what its devices are taken together by.
DEVICE, DISTRICT = "device", "district"
# Through what a device of any kind reports.
GATEWAY = "gateway"

ScopeValue = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,64}$")]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


class RuleError(Exception):
    """A rule file is wrong; each line of the message names rule and field."""


class Fault(NamedTuple):
    """One thing that is wrong with a rule: the field, and the limit that it breaks."""

    field: str
    message: str


class RuleFaults(ValueError):  # noqa: N818 (several of them)
    """What the fields of a rule rule out together."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{each.field}: {each.message}" for each in faults))
        self.faults = faults


class Key(NamedTuple):
    """Names the state of one rule on one device."""

    rule: str
    device_id: str


class Variant(NamedTuple):
    """What tells a rule from all others of a set. scope is "" for the whole kind, else as panel=PNL-07."""

    id: str
    kind: str
    scope: str = ""

    def __str__(self) -> str:
        return f"{self.id} ({self.kind}{f', {self.scope}' if self.scope else ''})"


class Sop(BaseModel):
    """What is to be done at a level, in the words of the regency's own procedure; Indonesian is the master."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=2_000)
    en: str = Field(min_length=1, max_length=2_000)


class Level(BaseModel):
    """One rung. severity 0 low … 3 critical; siaga is the official digit shown for it, if any.

    bound is in the metric's unit, or bound_from names the device attribute that holds it (no attribute: no rung).
    It is reached after `samples` good readings in a row that span at least delay_on_s.
    role is who is in charge at this level, sop what is to be done, report_s how often the device should report, in s.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    severity: int = Field(ge=0, le=3)
    siaga: int | None = Field(default=None, ge=1, le=4)
    bound: float | None = None
    bound_from: str | None = None
    samples: int = Field(default=1, ge=1, le=1000)
    delay_on_s: float = Field(default=0, ge=0, le=86_400)
    role: str | None = Field(default=None, min_length=1, max_length=100)
    sop: Sop | None = None
    report_s: float | None = Field(default=None, ge=10, le=86_400)


class Rule(BaseModel):
    """A rule of one kind ("*": any kind without its own rule of this id).

    scope narrows it to one device, or to those with one value of an attribute: of the rules of one id the most specific
    counts on a device (alerts/rules_scope.py). enabled: False watches nothing there.
    A rung is left when the value has been beyond its bound by hysteresis for delay_off_s. Missing or untrusted
    readings neither raise nor clear. What the other fields mean is said in alerts/conditions.py; of, alone, by, least
    and within_s (s) are of together (alerts/incident.py), to_siaga of time_to (alerts/rising.py).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: RuleId
    kind: str
    scope: Mapping[str, ScopeValue] = Field(default_factory=dict, max_length=1)
    enabled: bool = True
    condition: Condition
    metric: str | None = None
    level: tuple[Level, ...] = Field(min_length=1, max_length=3)
    hysteresis: float = Field(default=0, ge=0)
    delay_off_s: float = Field(default=0, ge=0, le=7 * 86_400)
    ignore_below: float | None = None
    guard_s: float = Field(default=0, ge=0, le=7_200)
    share: float = Field(default=0, ge=0, le=1)
    least_w: float = Field(default=0, ge=0)
    least_dimming_pct: float = Field(default=0, ge=0, le=100)
    occupancy_pct: float = Field(default=0, ge=0, le=100)
    full_pct: float = Field(default=100, ge=0, le=100)
    after_s: float | None = Field(default=None, gt=0, le=30 * 86_400)
    of: tuple[RuleId, ...] = Field(default=(), max_length=20)
    alone: tuple[RuleId, ...] = Field(default=(), max_length=20)
    by: tuple[str, ...] = Field(default=(), max_length=5)
    least: int = Field(default=5, ge=2, le=100_000)
    within_s: float = Field(default=600, ge=10, le=86_400)
    to_siaga: int | None = Field(default=None, ge=1, le=3)

    @property
    def variant(self) -> Variant:
        scope = next((f"{by}={value}" for by, value in self.scope.items()), "")
        return Variant(self.id, self.kind, scope)

    @property
    def gathers(self) -> tuple[str, ...]:
        """Rules whose alerts it takes together."""
        return (*self.of, *self.alone)

    @property
    def metrics(self) -> frozenset[str]:
        """Metrics that decide it."""
        return frozenset((*_NEEDED.get(self.condition, ()), *([self.metric] if self.metric else [])))

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if found := [*_faults_of_fields(self), *_faults_together(self), *_faults_of_levels(self)]:
            raise RuleFaults(found)
        return self


def check(definition: Mapping[str, Any]) -> Rule | list[Fault]:
    """The rule that this says, or everything that is wrong with it."""
    try:
        return Rule.model_validate(dict(definition))
    except ValidationError as error:
        found: list[Fault] = []
        for each in error.errors():
            told = each.get("ctx", {}).get("error")
            field = ".".join(str(part) for part in each["loc"]) or "rule"
            # A level that is wrong does not count, so pydantic says beside that there are too few.
            if each["type"] == "too_short" and any(fault.field.startswith(f"{field}.") for fault in found):
                continue
            found += told.faults if isinstance(told, RuleFaults) else [Fault(field, each["msg"])]
        return found


def parse(text: str, origin: str) -> tuple[Rule, ...]:
    """Rules of a TOML text. Raises RuleError with a line for everything wrong: the origin, the rule and the field."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{origin}: {error}") from None
    tables = given.pop("rule", [])
    if given or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        found = ", ".join(given) or "rule"
        raise RuleError(f"{origin}: {found}: a rule file holds tables [[rule]] and nothing else")
    return checked(tables, origin)


def checked(tables: Iterable[Mapping[str, Any]], origin: str) -> tuple[Rule, ...]:
    """The rules that these say. Raises RuleError as parse does."""
    rules: list[Rule] = []
    wrong: list[str] = []
    for number, table in enumerate(tables, 1):
        rule = check(table)
        if isinstance(rule, Rule):
            rules.append(rule)
        else:
            name = table.get("id", number)
            wrong += [f"{origin}: rule {name!r}: {field}: {message}" for field, message in rule]
    seen: set[Variant] = set()
    for rule in rules:
        if rule.variant in seen:
            where = f"kind {rule.kind!r}" + (f" and {rule.variant.scope}" if rule.scope else "")
            wrong.append(f"{origin}: rule {rule.id!r} is given twice for {where}")
        seen.add(rule.variant)
    if wrong:
        raise RuleError("\n".join(wrong))
    return tuple(rules)


@lru_cache
def shipped() -> tuple[Rule, ...]:
    """The rules every installation starts with: alerts/default_rules.toml."""
    return parse(files("alerts").joinpath("default_rules.toml").read_text("utf-8"), "default_rules.toml")


def rules_of(rules: tuple[Rule, ...], kind: str) -> tuple[Rule, ...]:
    """The rules that watch all devices of a kind; a rule for "*" gives way to one of the same id for the kind."""
    general = [rule for rule in rules if not rule.scope]
    own = {rule.id for rule in general if rule.kind == kind}
    found = (rule for rule in general if rule.kind == kind or (rule.kind == "*" and rule.id not in own))
    return tuple(rule for rule in found if rule.enabled)


def _faults_of_fields(rule: Rule) -> Iterator[Fault]:
    kind = KINDS.get(rule.kind)
    if kind is None and rule.kind != "*":
        yield Fault("kind", f"{rule.kind!r} is unknown; known are {', '.join(sorted(KINDS))} and *")
        return
    for by in rule.scope:
        known = (DEVICE, DISTRICT, *(kind.group_by if kind else ()))
        if by not in known:
            yield Fault(f"scope.{by}", f"kind {rule.kind!r} is narrowed by one of {', '.join(known)}")
    if rule.condition in ("above", "below", "missing") and rule.metric is None:
        yield Fault("metric", f"condition {rule.condition!r} needs one")
    if kind is not None and rule.metric is not None and rule.metric not in kind.metrics:
        yield Fault("metric", f"{rule.metric!r} is not one of {rule.kind}'s: {', '.join(kind.metrics)}")
        return
    missing = sorted(name for name in rule.metrics if kind is None or name not in kind.metrics)
    if missing:
        needs = f"condition {rule.condition!r} needs a kind with {', '.join(missing)}"
        yield Fault("condition", f"{needs}, {rule.kind!r} has none")


def _faults_together(rule: Rule) -> Iterator[Fault]:
    if rule.condition == "time_to" and rule.to_siaga is None:
        yield Fault("to_siaga", "condition 'time_to' needs the digit that is expected, 1 to 3")
    if rule.condition != "together":
        return
    for field in ("of", "by", "share"):
        if not getattr(rule, field):
            yield Fault(field, "condition 'together' needs it")
    if rule.scope:
        yield Fault("scope", "condition 'together' is about groups of devices and takes none")
    kind = KINDS.get(rule.kind)
    known = (*(kind.group_by if kind else ()), GATEWAY)
    for by in rule.by:
        if by not in known:
            yield Fault("by", f"{by!r}: devices of kind {rule.kind!r} are taken together by {', '.join(known)}")


def _faults_of_levels(rule: Rule) -> Iterator[Fault]:
    if [rung.severity for rung in rule.level] != sorted({rung.severity for rung in rule.level}):
        yield Fault("level", "severities must rise")
    if rule.condition in _ONE_LEVEL and len(rule.level) > 1:
        yield Fault("level", f"condition {rule.condition!r} takes one")
    for number, rung in enumerate(rule.level):
        if rule.condition in BY_NIGHT and (rung.samples > 1 or rung.delay_on_s):
            why = "is judged once a night: samples 1, delay_on_s 0"
            yield Fault(f"level.{number}", f"condition {rule.condition!r} {why}")
    if rule.condition in _BOUNDED:
        yield from _faults_of_bounds(rule, KINDS.get(rule.kind))


def _faults_of_bounds(rule: Rule, kind: Kind | None) -> Iterator[Fault]:
    known = kind.attributes.model_fields if kind is not None else {}
    for number, rung in enumerate(rule.level):
        if (rung.bound is None) == (rung.bound_from is None):
            yield Fault(f"level.{number}", "needs either bound or bound_from")
        if rung.bound_from is not None and rule.condition in BY_WORKER:
            yield Fault(f"level.{number}.bound_from", f"condition {rule.condition!r} takes a bound")
        elif rung.bound_from is not None and rung.bound_from not in known:
            where = f"level.{number}.bound_from"
            yield Fault(where, f"{rung.bound_from!r} is no attribute of kind {rule.kind!r}")
    # The highest rung reached counts, so a worse rung must lie beyond a better one.
    bounds = [rung.bound for rung in rule.level if rung.bound is not None]
    rises = rule.condition in _RISING
    beyond = operator.lt if rises else operator.gt
    if not all(beyond(a, b) for a, b in pairwise(bounds)):
        yield Fault("level", f"bounds must {'rise' if rises else 'fall'} with severity")
