"""What `siaga quarantine` does: lists entries, claims, replays or discards them, and waits for what came of a replay.

Over the HTTP API, as anybody may: roles, records and refusals are the API's, not ours. All of it raises SiagaError too.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import typer

from siaga.client import Client
from siaga.client.quarantine import Action
from siaga.client.values import given

PATH = "/quarantine"
POLL_S = 0.3
PAGE = 100
SHOWN = 20


class QuarantineError(Exception):
    """What was asked for cannot be done; the message says why."""


class Asked(NamedTuple):
    """What an order came to: the entries it was carried out for, and by id why not for the others."""

    done: list[int]
    refused: dict[int, str]


class Ended(NamedTuple):
    """What replays came to: readings by outcome, why entries are open again, and how many still wait."""

    replayed: int
    readings: Counter[str]
    reopened: dict[int, str]
    waiting: int


def listed(api: Client, groups: bool, chosen: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """The newest entries, or groups of them."""
    if groups and chosen["fingerprint"] is not None:
        raise QuarantineError("--group: --groups lists all of them; leave one out")
    path = f"{PATH}/groups" if groups else PATH
    return list(islice(api.items(path, **chosen, limit=min(most, PAGE)), most))


def act(
    api: Client,
    action: Action,
    ids: Sequence[int],
    chosen: Mapping[str, Any],
    how: Mapping[str, Any],
    patience_s: float | None = None,
) -> bool:
    """Carry out an action and say what came of it; True if that is all that was asked for.

    patience_s: wait until ingest has tried every entry, or none for so many seconds.
    """
    asked = order(api, action, ids, chosen, how)
    _list_some(asked.refused)
    typer.echo(f"{action}: {len(asked.done)} done, {len(asked.refused)} refused")
    if patience_s is None or not asked.done:
        return not asked.refused
    ended = wait(api, asked.done, patience_s)
    _list_some(ended.reopened)
    counts = ", ".join(f"{name} {number}" for name, number in ended.readings.items())
    typer.echo(f"replayed {ended.replayed}, open again {len(ended.reopened)}, waiting {ended.waiting}")
    typer.echo(f"became: {counts or 'nothing'}")
    if ended.waiting:
        typer.echo(
            f"siaga: ingest has replayed nothing for {patience_s:g} s. Does it run, and for their regions? "
            "What waits stays asked for.",
            err=True,
        )
    return not (asked.refused or ended.reopened or ended.waiting)


def order(api: Client, action: Action, ids: Sequence[int], chosen: Mapping[str, Any], how: Mapping[str, Any]) -> Asked:
    """Have the API do something with these entries or with all that are chosen, in as many requests as it takes."""
    if bool(ids) == bool(given(**chosen)):
        raise QuarantineError("give either ids, or a filter: --reason, --state, --device, --group, --since")
    acted = list(api.act_on_quarantine(action, ids, **how, **chosen))
    whys = dict.fromkeys(ids, "there is no such entry") | {each.id: each.problem for each in acted}
    done = [each.id for each in acted if each.problem is None]
    return Asked(done, {number: why for number, why in whys.items() if why is not None})


def wait(api: Client, ids: Sequence[int], patience_s: float) -> Ended:
    """Wait for replays, saying how far they are; every entry is looked at once, when it has ended."""
    left, moved = set(ids), time.monotonic()
    whats: Counter[str] = Counter()
    readings: Counter[str] = Counter()
    reopened: dict[int, str] = {}
    while left and time.monotonic() - moved <= patience_s:
        waiting = {entry.id for entry in api.quarantine(state="replaying")}
        for number in sorted(left - waiting):
            events = reversed(api.quarantine_entry(number).events)
            event = next(each for each in events if each.outcome is not None)
            whats[event.what] += 1
            readings.update(event.outcome)
            if event.what == "reopened":
                reopened[number] = event.note or ""
        if left - waiting:
            left &= waiting
            moved = time.monotonic()
            typer.echo(f"{len(ids) - len(left)} of {len(ids)} tried", err=True)
        if left:
            time.sleep(POLL_S)
    return Ended(whats["replayed"], readings, reopened, len(left))


def _list_some(whys: Mapping[int, str]) -> None:
    for number, why in sorted(whys.items())[:SHOWN]:
        typer.echo(f"{number}: {why}", err=True)
    if len(whys) > SHOWN:
        typer.echo(f"… and {len(whys) - SHOWN} more", err=True)
