"""A plan played without broker and clock: what the simulator's tests of scenarios share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from simulator.field import Field, Packet, Window
from simulator.items import Item
from simulator.plan import Plan, plan
from simulator.scenario import parse, read
from simulator.truth.account import Account
from simulator.truth.folder import Expected, Summary, Told, Writer

HOUR_MS = 3_600_000
# Past as a whole, whatever a device's clock says of the days after.
LONG_AFTER_MS = 30 * 24 * HOUR_MS
HEAD = """
title = "{title}"
start = 2026-11-10T00:00:00+07:00
hours = {hours}
[fleet]
gauges = {gauges}
detectors = {detectors}
panels = {panels}
"""


@dataclass(frozen=True)
class Played:
    """All packets of a plan in order of sending, and what was lost for good."""

    plan: Plan
    packets: list[Packet]
    lost: list[Item]

    @cached_property
    def items(self) -> dict[tuple[int, str, int], Item]:
        """What left its device in a packet that is readable as a whole, by device, boot and seq."""
        return {(i.device, i.boot, i.seq): i for p in self.packets if not p.reason for i in p.items}

    def of(self, kind: str) -> list[Item]:
        return [item for item in self.items.values() if self.plan.fleet[item.device].kind == kind]


def shipped_plan(name: str, seed: int = 1, hours: float | None = None) -> Plan:
    return plan(name, read(name), seed, hours=hours)


def written_plan(
    tables: str = "",
    *,
    hours: float = 24,
    gauges: int = 7,
    detectors: int = 6,
    panels: Sequence[int] = (30,),
    seed: int = 1,
) -> Plan:
    """A scenario of a test's own: the given tables after a small fleet on a dry day."""
    head = HEAD.format(title="of a test", hours=hours, gauges=gauges, detectors=detectors, panels=list(panels))
    return plan("own", parse(head + tables, "own.toml"), seed)


def windows(plan: Plan, cuts: Iterable[int] = ()) -> Iterator[Window]:
    """The whole of a plan, cut at these milliseconds after its start; what is held back at the end comes last."""
    field = Field(plan)
    for t0, t1 in pairwise([plan.start_ms, *(plan.start_ms + cut for cut in sorted(cuts)), plan.end_ms]):
        yield field.window(t0, t1)
    yield field.rest()


def played(plan: Plan, cuts: Iterable[int] = ()) -> Played:
    parts = list(windows(plan, cuts))
    return Played(plan, [p for part in parts for p in part.packets], [i for part in parts for i in part.lost])


def every(hours: float, plan: Plan) -> range:
    """Cuts every so many hours."""
    step = round(hours * HOUR_MS)
    return range(step, plan.end_ms - plan.start_ms, step)


class Accounted(NamedTuple):
    """What is told, in its order, of every message and of what was never sent (packet None), and of the alerts."""

    told: list[tuple[Packet | None, list[Told]]]
    alerts: list[Expected]

    @property
    def packets(self) -> list[tuple[Packet, list[Told]]]:
        return [(packet, rows) for packet, rows in self.told if packet]

    @property
    def rows(self) -> list[Told]:
        return [row for _, rows in self.told for row in rows]


def accounted(plan: Plan, cuts: Iterable[int] = ()) -> Accounted:
    account = Account(plan, "past", plan.end_ms + LONG_AFTER_MS)
    told: list[tuple[Packet | None, list[Told]]] = []
    number = 0
    for window in windows(plan, cuts):
        for one in window.in_order():
            if isinstance(one, Packet):
                told.append((one, account.sent(number, one)))
                number += 1
            else:
                told.append((None, [account.lost(one)]))
    return Accounted(told, account.alerts(plan.end_ms))


def write_truth(plan: Plan, folder: Path, cuts: Iterable[int] = ()) -> Accounted:
    """The truth as a run writes it."""
    found = accounted(plan, cuts)
    kinds = {device.id: device.kind for device in plan.fleet}
    writer = Writer(folder, plan.fleet)
    for packet, rows in found.told:
        for row in rows:
            writer.add(plan.fleet[packet.device].kind if packet else kinds[row.device_id], row)
    counts = dict(writer.outcomes)
    summary = Summary(
        plan.scenario, plan.seed, plan.region, "past", plan.start_ms, plan.end_ms, len(plan.fleet),
        len(found.packets), counts, len(found.alerts),
    )  # fmt: skip
    writer.finish(summary, found.alerts, {})
    return found
