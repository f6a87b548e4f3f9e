"""Rules: which are in force, changing them, and trying them on what is stored."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

import psycopg
from fastapi import Header, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from alerts.rule import Rule, Variant, check
from alerts.rules_replay import kinds_of
from alerts.rules_scope import Watched
from alerts.rules_set import InForce, Tried, Version, tried
from api import context, dry_run_answer, rule_shapes
from api.auth import Caller, Endpoints
from api.dry_run_answer import Told
from api.params import DeviceId, KindFilter, Window, window
from api.problem_types import BUSY, INVALID_REQUEST, NOT_FOUND, VERSION_MISMATCH, VERSION_REQUIRED
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from devices.fleet import Fleet
from runtime.settings import Settings
from storage import rules, rules_replay
from storage.as_json import time_text
from storage.fleet import get_device
from storage.read_at import closed_after

ENDPOINTS = Endpoints("/api/v1")
DAY = timedelta(days=1)
TAG = re.compile(r'^(?:W/)?"?([0-9]{1,18})"?$', re.ASCII)

RuleId = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
IfMatch = Annotated[
    str | None, Header(max_length=200, description='version that was shown ("7"; "0": never changed); * for any')
]
CHANGES = [HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED]


@ENDPOINTS.get("/rules", role="viewer", answer=rule_shapes.Rules, problems=[HTTPStatus.NOT_FOUND])
async def list_rules(
    request: Request,
    kind: KindFilter = None,
    device: Annotated[DeviceId | None, Query(description="only those that watch this device")] = None,
) -> Response:
    """The rules in force: shipped ones, and those stored in their place or beside them; also disabled ones."""
    async with context.of(request).reads.connection() as conn:
        found = (await rules.read(conn)).in_force
        if device is not None:
            found = await _watching(conn, found, device)
    items = [each for each in found if kind is None or each.rule.kind in (kind, "*")]
    return items_reply(request, (encode(_item(each)) for each in items))


@ENDPOINTS.get(
    "/rules/{rule_id}", role="viewer", answer=rule_shapes.RuleWithHistory, problems=[HTTPStatus.NOT_FOUND]
)  # fmt: skip
async def show_rule(request: Request, rule_id: RuleId) -> Response:
    """The rules of an id, for whatever kinds and scopes, and every change of them."""
    here = context.of(request)
    async with here.reads.connection() as conn:
        known = await rules.read(conn)
        past = await rules.history(conn, rule_id, here.settings.page_max)
    found = [each for each in known.in_force if each.rule.id == rule_id]
    if not found and not past:
        raise not_found(f"rule {rule_id}")
    answer = {"id": rule_id, "in_force": list(map(_item, found)), "history": list(map(_version, past))}
    return reply(encode(answer))


@ENDPOINTS.on(
    ("PUT",), "/rules/{rule_id}", role="engineer", whole=True, answer=rule_shapes.RuleInForce,
    problems=[HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED],
)  # fmt: skip
async def change_rule(
    request: Request, who: Caller, rule_id: RuleId, body: rule_shapes.RuleChange, if_match: IfMatch = None
) -> Response:
    """Put a rule in force, in the place of the one of its id, kind and scope. Ingest takes it over within seconds."""
    rule = _checked(body.rule | {"id": body.rule.get("id", rule_id)}, "rule")
    if rule.id != rule_id:
        raise wrong_field("rule.id", f"{rule.id!r} is not {rule_id!r}, which the address names")
    await _change(request, rules.Change(rule.variant, rule, who.name, body.reason, context.utc_now()), if_match)
    now = await _now(request, rule.variant)
    assert now is not None
    return reply(encode(_item(now)), headers={"ETag": f'"{now.version}"'})


@ENDPOINTS.delete("/rules/{rule_id}", role="engineer", whole=True, answer=rule_shapes.GivenBack, problems=CHANGES)
async def give_rule_back(
    request: Request,
    who: Caller,
    rule_id: RuleId,
    kind: Annotated[str, Query(max_length=41, description="kind of the rule, or *")],
    reason: Annotated[str, Query(min_length=1, max_length=rule_shapes.REASON_MAX, description="why")],
    scope: Annotated[str, Query(max_length=120, description="as in /rules: panel=PNL-07; empty: all of the kind")] = "",
    if_match: IfMatch = None,
) -> Response:
    """Go back to the shipped rule; where none is shipped, to none."""
    variant = Variant(rule_id, kind, scope)
    version = await _change(request, rules.Change(variant, None, who.name, reason, context.utc_now()), if_match)
    now = await _now(request, variant)
    return reply(encode({"version": version, "now": _item(now) if now else None}))


@ENDPOINTS.post("/rules/dry-run", role="engineer", answer=rule_shapes.DryRunAnswer)
async def dry_run(request: Request, body: rule_shapes.DryRun) -> Response:
    """What rules would have made of stored readings, beside what those in force would have."""
    here = context.of(request)
    asked = window(body.since, body.until, context.utc_now(), DAY)
    candidates = [_checked(each, f"rules.{number}") for number, each in enumerate(body.rules)]
    async with here.reads.connection() as conn:
        known = (await rules.read(conn)).rules
        sets = tried(known, candidates, body.ids)
        await _check_size(conn, here.settings, body, sets, asked)
        current, candidate = Told(), Told()
        runs = [rules_replay.Run(sets.current, current.add)]
        if sets.candidate is not None:
            runs.append(rules_replay.Run(sets.candidate, candidate.add))
        past = rules_replay.Past(*asked, body.devices, here.settings.stream_silent_s)
        try:
            ran = await rules_replay.dry_run(conn, past, runs)
        except rules_replay.BusyError as error:
            raise Problem(BUSY, f"{error}; please try again") from None
    told = (current, candidate if sets.candidate is not None else None)
    # Of a month that chatters there are 100,000 alerts to compare: nobody else's request waits for it.
    return reply(encode(await asyncio.to_thread(dry_run_answer.answer, asked, ran, *told, here.settings.zone)))


async def _check_size(
    conn: psycopg.AsyncConnection[Any], settings: Settings, body: rule_shapes.DryRun, sets: Tried, asked: Window
) -> None:
    """Refuse what is too much, or not there. Raises 422."""
    every = [rule for each in sets if each is not None for rule in each]
    if unknown := set(body.ids) - {rule.id for rule in every}:
        raise wrong_field("ids", f"there is no rule {', '.join(sorted(unknown))}")
    devices = await rules_replay.count_devices(conn, every, body.devices)
    if body.devices is not None and devices < len(set(body.devices)):
        raise wrong_field("devices", f"of {len(set(body.devices))}, {devices} are of a kind that these rules watch")
    most, days = settings.dry_run_device_days_max, (asked.until - asked.since) / DAY
    if devices * days > most:
        raise wrong_field(
            "from",
            f"{devices} devices for {days:.4g} days are more than {most} device days (SIAGA_DRY_RUN_DEVICE_DAYS_MAX); "
            "name fewer devices, or a shorter time",
        )
    if gone := await closed_after(conn, kinds_of(every), asked.since):
        told = ", ".join(f"{name} from {time_text(since)} on" for name, since in sorted(gone.items()))
        raise wrong_field("from", f"readings of {time_text(asked.since)} have been dropped (there are: {told})")


async def _change(request: Request, wanted: rules.Change, if_match: str | None) -> int:
    """Do it, and its version. Raises 404, 412 with the version of now, 428."""
    seen = _seen(if_match)
    async with context.of(request).writes.connection() as conn:
        changed = await rules.change(conn, wanted, seen)
    if changed.done:
        return changed.version
    if seen is not None and changed.version not in seen:
        detail = f"rule {wanted.variant} is at version {changed.version} now, not {if_match}"
        raise Problem(VERSION_MISMATCH, detail, current={"version": changed.version})
    raise Problem(NOT_FOUND, f"no rule {wanted.variant} is stored")


async def _now(request: Request, variant: Variant) -> InForce | None:
    # From the pool that writes: a replica that reads could be behind.
    async with context.of(request).writes.connection() as conn:
        known = await rules.read(conn)
    return next((each for each in known.in_force if each.rule.variant == variant), None)


async def _watching(
    conn: psycopg.AsyncConnection[Any], found: tuple[InForce, ...], device_id: str
) -> tuple[InForce, ...]:
    device = await get_device(conn, device_id)
    if device is None:
        raise not_found(f"device {device_id}")
    watches = Watched(tuple(each.rule for each in found), Fleet([device])).of(device.kind).values()
    variants = {rule.variant for watch in watches if (rule := watch.on(0))}
    return tuple(each for each in found if each.rule.variant in variants)


def _checked(definition: dict[str, Any], where: str) -> Rule:
    """The rule, or 422 with everything that is wrong with it."""
    rule = check(definition)
    if isinstance(rule, Rule):
        return rule
    errors = [{"field": f"{where}.{each.field}", "message": each.message} for each in rule]
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors[:3])
    raise Problem(INVALID_REQUEST, detail, errors)


def _seen(if_match: str | None) -> frozenset[int] | None:
    if if_match is None:
        raise Problem(VERSION_REQUIRED, 'send If-Match: "version" of the rule you saw, or *')
    if if_match.strip() == "*":
        return None
    tags = [TAG.match(tag.strip()) for tag in if_match.split(",")]
    if not all(tags):
        raise wrong_field("If-Match", f'{if_match!r} is neither * nor a version such as "7"')
    return frozenset(int(tag[1]) for tag in tags if tag)


def _item(each: InForce) -> dict[str, Any]:
    variant, change = each.rule.variant, each.change
    return {
        **variant._asdict(),
        "enabled": each.rule.enabled,
        "origin": each.origin,
        "version": each.version,
        "changed_at": time_text(change.at) if change else None,
        "changed_by": change.who if change else None,
        "reason": change.why if change else None,
        "rule": each.rule.model_dump(mode="json"),
    }


def _version(each: Version) -> dict[str, Any]:
    return {
        "version": each.version,
        "kind": each.variant.kind,
        "scope": each.variant.scope,
        "at": time_text(each.at),
        "who": each.who,
        "reason": each.why,
        "rule": each.definition,
    }
