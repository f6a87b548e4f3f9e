"""Rules in force, and changes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from siaga.client.answers import Time, read
from siaga.client.plain import Plain
from siaga.client.values import part


@dataclass(frozen=True, slots=True)
class RuleInForce:
    """rule: as in a [[rule]] table of a rule file."""

    id: str
    kind: str
    scope: str
    enabled: bool
    origin: str
    version: int
    changed_at: Time | None
    changed_by: str | None
    reason: str | None
    rule: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RuleVersion:
    version: int
    kind: str
    scope: str
    at: Time
    who: str
    reason: str
    rule: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class RuleWithHistory:
    id: str
    in_force: tuple[RuleInForce, ...]
    history: tuple[RuleVersion, ...]


@dataclass(frozen=True, slots=True)
class RuleGivenBack:
    version: int
    now: RuleInForce | None


class RuleCalls(Plain):
    """Each change says which version it was made for."""

    def rules(self, *, kind: str | None = None, device: str | None = None) -> list[RuleInForce]:
        return [read(RuleInForce, each) for each in self.items("/rules", kind=kind, device=device)]

    def rule(self, rule_id: str) -> RuleWithHistory:
        return read(RuleWithHistory, self.get(f"/rules/{part(rule_id)}"))

    def change_rule(self, rule: Mapping[str, Any], reason: str, *, seen: int) -> RuleInForce:
        """Put a rule in force, all of it. seen: the version it is to replace, 0 for one that was never changed."""
        body = {"rule": dict(rule), "reason": reason}
        return read(RuleInForce, self.ask("PUT", f"/rules/{part(rule['id'])}", body, seen))

    def give_back_rule(self, rule: RuleInForce, reason: str) -> RuleGivenBack:
        """Go back to the shipped rule, or to none where none is shipped."""
        query = {"kind": rule.kind, "scope": rule.scope, "reason": reason}
        told = self.ask("DELETE", f"/rules/{part(rule.id)}", seen=rule.version, **query)
        return read(RuleGivenBack, told)
