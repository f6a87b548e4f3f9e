"""Sensing: what the devices of a plan measure, counted by boot and seq, and bent by faults of sensors and clocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from simulator.city import Block, boot_ids
from simulator.faults.clock import ClockFault, Reboot
from simulator.faults.fault import Fault
from simulator.faults.network import Sentinel
from simulator.faults.values import MEASURED, ValueFault
from simulator.items import Item, foresee
from simulator.plan import Plan


class Sensing:
    """The devices with their counters of readings. Windows of time come one after the other."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._city = plan, plan.city
        self._next_seq: list[int] = [0] * len(plan.fleet)
        self._boot: list[str] = plan.city.boot.tolist()
        self._values, self._clocks = plan.thrown(ValueFault), plan.thrown(ClockFault)
        self._sentinels = plan.thrown(Sentinel)
        self._boots = self._reboots()

    def window(self, t0_ms: int, t1_ms: int) -> Iterator[tuple[Block, list[Item]]]:
        """What is measured in [t0_ms, t1_ms), a block of each kind with its rows as items."""
        for block in self._blocks(t0_ms, t1_ms):
            yield block, self._items(block)

    def _blocks(self, t0_ms: int, t1_ms: int) -> list[Block]:
        """The city's reports, less those of who is without mains, with the last report of each as it loses them."""
        blocks = self._city.blocks(t0_ms, t1_ms)
        device = np.concatenate([b.device for b in blocks]) if blocks else np.zeros(0, dtype=np.int64)
        ts_ms = np.concatenate([b.ts_ms for b in blocks]) if blocks else np.zeros(0, dtype=np.int64)
        if self._plan.trips:
            for trip in self._plan.trips:
                fed = np.array(trip.devices, dtype=np.int64)
                dark = np.isin(device, fed) & (ts_ms >= trip.from_ms) & (ts_ms < trip.until_ms)
                device, ts_ms = device[~dark], ts_ms[~dark]
                if t0_ms <= trip.from_ms < t1_ms:
                    device = np.concatenate([device, fed])
                    ts_ms = np.concatenate([ts_ms, np.full(len(fed), trip.from_ms, dtype=np.int64)])
            order = np.lexsort((ts_ms, device))
            device, ts_ms = device[order], ts_ms[order]
            seq = np.zeros(len(device), dtype=np.int64)
            blocks = self._city.measured(device, ts_ms, seq, self._city.boot[device])
        return [self._numbered(block) for block in blocks]

    def _numbered(self, block: Block) -> Block:
        """Give rows their seq and boot: readings count up within a boot, whether they arrive or not."""
        order = np.lexsort((block.ts_ms, block.device))
        device, ts_ms = block.device.tolist(), block.ts_ms.tolist()
        seq, boot = np.empty(len(block), dtype=np.int64), np.empty(len(block), dtype=np.object_)
        for row in order.tolist():
            i = device[row]
            pending = self._boots.get(i)
            while pending and pending[0] <= ts_ms[row]:
                self._next_seq[i] = 0
                self._boot[i] = boot_ids(self._plan.seed, np.array([i]), np.array([pending.pop(0)]))[0]
            seq[row], boot[row] = self._next_seq[i], self._boot[i]
            self._next_seq[i] += 1
        return replace(block, seq=seq, boot=boot)

    def _reboots(self) -> dict[int, list[int]]:
        """When each device boots anew: by a fault, or as its panel has mains again."""
        found: dict[int, list[int]] = defaultdict(list)
        for fault, scope in self._plan.thrown(Reboot):
            for device, at_ms in fault.moments(scope):
                found[device].append(at_ms)
        for trip in self._plan.trips:
            for device in trip.devices:
                found[device].append(trip.until_ms)
        return {device: sorted(moments) for device, moments in found.items()}

    def _items(self, block: Block) -> list[Item]:
        """Rows as items, bent by faults of sensor and clock."""
        touched = [(fault.fault, fault.bend(scope, block)) for fault, scope in self._values if _fits(fault, block)]
        told_ms = block.ts_ms
        for fault, scope in self._clocks:
            if _fits(fault, block):
                hit = scope.hits(block.device, block.ts_ms)
                told_ms = np.where(hit, fault.told_ms(scope, block.device, block.ts_ms), told_ms)
                touched.append((fault.fault, hit))
        fields = self._city.fields(replace(block, ts_ms=told_ms))
        rows = zip(
            block.device.tolist(), block.ts_ms.tolist(), told_ms.tolist(), block.seq.tolist(), block.boot.tolist(),
            fields, strict=True,
        )  # fmt: skip
        items = [Item(*row) for row in rows]
        for name, hit in touched:
            for row in np.flatnonzero(hit).tolist():
                items[row].faults.append(name)
        for item in items:
            if item.seq == 0 and item.boot != self._city.boot[item.device]:
                item.faults.append("reboot")
        for fault, scope in self._sentinels:
            for row in np.flatnonzero(fault.hit(scope, block.device, block.ts_ms)).tolist():
                item = items[row]
                name = next(n for n in MEASURED[block.kind] if n in item.fields)
                item.fields[name] = told = fault.value(scope, item.device, item.at_ms)
                item.unreadable = isinstance(told, str)
                item.faults.append(fault.fault)
        foresee(block.kind, items, self._plan.fleet)
        return items


def _fits(fault: Fault, block: Block) -> bool:
    return fault.kind in (None, block.kind)
