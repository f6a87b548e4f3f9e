"""The rules in force: the shipped ones, with what the database says in their place or beside them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from alerts.rule import Rule, Variant, check, shipped

Origin = Literal["shipped", "stored"]


class Version(NamedTuple):
    """One change of a rule. definition: all of it from then on; None: as shipped again, or gone if none is."""

    version: int
    variant: Variant
    definition: Mapping[str, Any] | None
    at: datetime
    who: str
    why: str


class InForce(NamedTuple):
    """A rule of the set. change: its newest one, None where it was never changed."""

    rule: Rule
    origin: Origin
    change: Version | None

    @property
    def version(self) -> int:
        return self.change.version if self.change else 0


class RuleSet(NamedTuple):
    """version: the newest change of any rule, 0 before the first. unusable: stored rules that this program refuses."""

    version: int
    in_force: tuple[InForce, ...]
    unusable: tuple[str, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(each.rule for each in self.in_force)


def rule_set(newest: Iterable[Version]) -> RuleSet:
    """The set as of the newest change of each rule. A stored rule that is refused leaves the shipped one in force."""
    changes = {each.variant: each for each in newest}
    found = {rule.variant: InForce(rule, "shipped", changes.get(rule.variant)) for rule in shipped()}
    unusable = []
    for variant, change in changes.items():
        if change.definition is None:
            continue
        rule = check(change.definition)
        if isinstance(rule, Rule) and rule.variant == variant:
            found[variant] = InForce(rule, "stored", change)
        else:
            why = f"names {rule.variant}" if isinstance(rule, Rule) else "; ".join(map(": ".join, rule))
            unusable.append(f"{variant}, version {change.version}: {why}")
    version = max((each.version for each in changes.values()), default=0)
    return RuleSet(version, tuple(found.values()), tuple(unusable))


def replaced(rules: Iterable[Rule], by: Iterable[Rule]) -> tuple[Rule, ...]:
    """These rules with others in the place of those they are variants of, or beside them."""
    found = {rule.variant: rule for rule in rules}
    return tuple((found | {rule.variant: rule for rule in by}).values())


class Tried(NamedTuple):
    """What a dry-run compares: the rules in force and, where there is a candidate, those with it in its place."""

    current: tuple[Rule, ...]
    candidate: tuple[Rule, ...] | None


def tried(rules: Iterable[Rule], candidates: Sequence[Rule], ids: Collection[str] = ()) -> Tried:
    """Rules of these ids; without ids of the candidates' own, and without candidates all. No id influences another."""
    wanted = set(ids) or {rule.id for rule in candidates}

    def only(found: Iterable[Rule]) -> tuple[Rule, ...]:
        return tuple(rule for rule in found if not wanted or rule.id in wanted)

    current = tuple(rules)
    return Tried(only(current), only(replaced(current, candidates)) if candidates else None)
