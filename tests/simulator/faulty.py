"""What the tests of faults share: a small field on a dry day with some faults, and how it differs from one without."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

from simulator.faults.values import MEASURED
from simulator.field import Packet
from simulator.items import Item
from tests.simulator.offline import HOUR_MS, Played, every, played, written_plan

Key = tuple[int, str, int]


@cache
def field_with(tables: str = "", hours: float = 24) -> Played:
    plan = written_plan(tables, hours=hours)
    return played(plan, every(6, plan))


def fault(name: str, **parameters: Any) -> str:
    lines = [f"{key} = {value!r}".replace("'", '"') for key, value in parameters.items()]
    return "\n".join(["[[fault]]", f'fault = "{name}"', *lines, ""])


def touched(run: Played, name: str) -> dict[Key, Item]:
    """What a fault says that it has touched."""
    return {key: item for key, item in run.items.items() if name in item.faults}


def hours_in(run: Played, item: Item) -> float:
    return (item.at_ms - run.plan.start_ms) / HOUR_MS


def packets_with(run: Played, name: str) -> list[Packet]:
    return [packet for packet in run.packets if name in packet.faults]


def changed(run: Played, *, but: tuple[str, ...] = ()) -> dict[str, set[Key]]:
    """By field, which readings differ from those of a field without faults."""
    clean, found = field_with(hours=(run.plan.end_ms - run.plan.start_ms) / HOUR_MS).items, defaultdict(set)
    assert clean.keys() == run.items.keys()
    for key, item in run.items.items():
        for name in item.fields.keys() - set(but):
            if item.fields[name] != clean[key].fields[name]:
                found[name].add(key)
    return dict(found)


def difference(run: Played, key: Key, name: str) -> float:
    """How much a field is above that of a field without faults."""
    clean = field_with(hours=(run.plan.end_ms - run.plan.start_ms) / HOUR_MS).items[key]
    return float(run.items[key].fields[name] - clean.fields[name])


def measured(run: Played, item: Item) -> tuple[str, float]:
    """Name and sign of what a gauge, a lamp or a detector stands and falls with."""
    name = next(name for name in MEASURED[run.plan.fleet[item.device].kind] if name in item.fields)
    return name, -1.0 if name == "distance_m" else 1.0
