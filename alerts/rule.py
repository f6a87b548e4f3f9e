"""Rules are data: what is watched, from which bounds, how long before raising and before clearing."""

from __future__ import annotations

import operator
import tomllib
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from devices.kind import Kind
from devices.kinds import KINDS

Condition = Literal["above", "below", "lamp_out", "unpowered", "congestion", "stale"]


# Metrics that a condition reads beside the rule's own; conditions that compare with a bound; those that know one rung.
_NEEDED = {
    "lamp_out": ("power_w", "voltage_v", "dimming_pct"),
    "unpowered": ("voltage_v",),
    "congestion": ("speed_kmh", "occupancy_pct"),
}
_BOUNDED = ("above", "below", "unpowered", "congestion")
_ONE_LEVEL = ("lamp_out", "unpowered", "stale")


class RuleError(Exception):
    """A rule file is wrong; the message names rule and field."""


class Key(NamedTuple):
    """Names the state of one rule on one device."""

    rule: str
    device_id: str


class Level(BaseModel):
    """One rung. severity 0 low … 3 critical; siaga is the official digit shown for it, if any.

    bound is in the metric's unit, or bound_from names the device attribute that holds it (no attribute: no rung).
    It is reached after `samples` good readings in a row that span at least delay_on_s.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    severity: int = Field(ge=0, le=3)
    siaga: int | None = Field(default=None, ge=1, le=4)
    bound: float | None = None
    bound_from: str | None = None
    samples: int = Field(default=1, ge=1, le=1000)
    delay_on_s: float = Field(default=0, ge=0, le=86_400)


class Rule(BaseModel):
    """A rule of one kind ("*": any kind without its own rule of this id).

    A rung is left when the value has been beyond its bound by hysteresis for delay_off_s. Missing or untrusted
    readings neither raise nor clear. What the other fields mean is said in alerts/conditions.py.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    kind: str
    condition: Condition
    metric: str | None = None
    level: tuple[Level, ...] = Field(min_length=1, max_length=3)
    hysteresis: float = Field(default=0, ge=0)
    delay_off_s: float = Field(default=0, ge=0, le=7 * 86_400)
    ignore_below: float | None = None
    guard_s: float = Field(default=0, ge=0, le=7_200)
    share: float = Field(default=0, ge=0, le=1)
    least_w: float = Field(default=0, ge=0)
    occupancy_pct: float = Field(default=0, ge=0, le=100)
    after_s: float | None = Field(default=None, gt=0, le=30 * 86_400)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        kind = KINDS.get(self.kind)
        if kind is None and self.kind != "*":
            raise ValueError(f"kind {self.kind!r} is unknown; known are {', '.join(sorted(KINDS))} and *")
        if self.condition in ("above", "below") and self.metric is None:
            raise ValueError(f"metric: condition {self.condition!r} needs one")
        if kind is not None and self.metric is not None and self.metric not in kind.metrics:
            raise ValueError(f"metric {self.metric!r} is not one of {self.kind}'s: {', '.join(kind.metrics)}")
        for name in (*_NEEDED.get(self.condition, ()), *([self.metric] if self.metric else [])):
            if kind is None or name not in kind.metrics:
                raise ValueError(f"condition {self.condition!r} needs a kind with {name}, {self.kind!r} has none")
        if [rung.severity for rung in self.level] != sorted({rung.severity for rung in self.level}):
            raise ValueError("level: severities must rise")
        if self.condition in _BOUNDED:
            self._check_bounds(kind)
        if self.condition in _ONE_LEVEL and len(self.level) > 1:
            raise ValueError(f"level: condition {self.condition!r} takes one")
        return self

    def _check_bounds(self, kind: Kind | None) -> None:
        if any((rung.bound is None) == (rung.bound_from is None) for rung in self.level):
            raise ValueError("level: each needs either bound or bound_from")
        known = kind.attributes.model_fields if kind is not None else {}
        for rung in self.level:
            if rung.bound_from is not None and rung.bound_from not in known:
                raise ValueError(f"level: bound_from {rung.bound_from!r} is no attribute of kind {self.kind!r}")
        # The highest rung reached counts, so a worse rung must lie beyond a better one.
        bounds = [rung.bound for rung in self.level if rung.bound is not None]
        beyond = operator.lt if self.condition == "above" else operator.gt
        if not all(beyond(a, b) for a, b in pairwise(bounds)):
            raise ValueError(f"level: bounds must {'rise' if self.condition == 'above' else 'fall'} with severity")


def parse(text: str, origin: str) -> tuple[Rule, ...]:
    """Rules of a TOML text. Raises RuleError naming the origin, the rule and the field."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{origin}: {error}") from None
    tables = given.pop("rule", [])
    if given or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        found = ", ".join(given) or "rule"
        raise RuleError(f"{origin}: {found}: a rule file holds tables [[rule]] and nothing else")
    rules = []
    for number, table in enumerate(tables, 1):
        try:
            rules.append(Rule.model_validate(table))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "rule"
            raise RuleError(f"{origin}: rule {table.get('id', number)!r}: {field}: {first['msg']}") from None
    seen: set[tuple[str, str]] = set()
    for rule in rules:
        if (rule.id, rule.kind) in seen:
            raise RuleError(f"{origin}: rule {rule.id!r} is given twice for kind {rule.kind!r}")
        seen.add((rule.id, rule.kind))
    return tuple(rules)


@lru_cache
def shipped() -> tuple[Rule, ...]:
    """The rules every installation starts with: alerts/default_rules.toml."""
    return parse(files("alerts").joinpath("default_rules.toml").read_text("utf-8"), "default_rules.toml")


def rules_of(rules: tuple[Rule, ...], kind: str) -> tuple[Rule, ...]:
    """The rules that watch devices of a kind; a rule for "*" gives way to one of the same id for the kind."""
    own = {rule.id for rule in rules if rule.kind == kind}
    return tuple(rule for rule in rules if rule.kind == kind or (rule.kind == "*" and rule.id not in own))
