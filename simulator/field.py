"""The field: what the devices of a plan measure, what befalls it, and the packets that leave for the broker.

Windows of time come one after the other; how they are cut changes nothing. No clock and no I/O: a packet says when it
would be sent, and whoever plays it keeps the time.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from devices.kind import Bools
from devices.payload import encode
from devices.topics import readings_topic
from simulator.city import Block, Ints, boot_ids
from simulator.faults.clock import ClockFault, Reboot
from simulator.faults.fault import NEVER, Fault, Scope
from simulator.faults.network import (
    Backfill,
    Conflict,
    Dropout,
    Duplicate,
    Malformed,
    Oversized,
    Reorder,
    Sentinel,
    UnknownDevice,
    WrongIdentity,
)
from simulator.faults.values import MEASURED, ValueFault
from simulator.items import Item, foresee
from simulator.scenario import STRANGER_SUFFIX, Plan

CONFLICT_AFTER_MS = 1_000


class Packet(NamedTuple):
    """One MQTT message. device: index of who sent it. reason: why the server refuses it whole, or "".

    device_id is the one in the topic. order decides between packets of the same moment.
    """

    send_ms: int
    device: int
    order: int
    device_id: str
    topic: str
    payload: bytes
    items: tuple[Item, ...]
    reason: str
    faults: tuple[str, ...]


class Window(NamedTuple):
    """What a window of time brought: packets due before its end, in order of sending, and items lost for good."""

    packets: list[Packet]
    lost: list[Item]

    def in_order(self) -> Iterator[Packet | Item]:
        """Both by their time: one after the other, windows give the same sequence however they are cut."""
        return heapq.merge(self.lost, self.packets, key=_when)


class Field:
    """The devices of a plan with their memory: counters of readings, buffers of those that are cut off."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._city = plan, plan.city
        size = len(plan.fleet)
        self._next_seq: list[int] = [0] * size
        self._boot: list[str] = plan.city.boot.tolist()
        self._values = self._thrown(ValueFault)
        self._clocks = self._thrown(ClockFault)
        self._dropouts = [(*each, np.zeros(size, dtype=np.bool_)) for each in self._thrown(Dropout)]
        self._backfills = self._thrown(Backfill)
        self._reorders, self._duplicates = self._thrown(Reorder), self._thrown(Duplicate)
        self._sentinels, self._conflicts = self._thrown(Sentinel), self._thrown(Conflict)
        self._damages = self._thrown(Malformed)
        self._oversizes = self._thrown(Oversized)
        self._strangers, self._impostors = self._thrown(UnknownDevice), self._thrown(WrongIdentity)
        self._boots = self._reboots()
        self._kept: dict[tuple[int, int], tuple[Backfill, list[Item]]] = {}  # (release, device): buffered
        self._waiting: list[Packet] = []
        self._order = 0

    def window(self, t0_ms: int, t1_ms: int) -> Window:
        """What is measured in [t0_ms, t1_ms), and what is to be sent before t1_ms."""
        lost: list[Item] = []
        for block in self._blocks(t0_ms, t1_ms):
            self._pack(block, self._items(block), lost)
        self._release(t1_ms)
        due = []
        while self._waiting and self._waiting[0].send_ms < t1_ms:
            due.append(heapq.heappop(self._waiting))
        lost.sort(key=lambda item: (item.at_ms, item.device))
        return Window(due, lost)

    def rest(self) -> Window:
        """At the end: what is still held back or buffered, in order of sending."""
        self._release(None)
        return Window([heapq.heappop(self._waiting) for _ in range(len(self._waiting))], [])

    # -- measuring -------------------------------------------------------------------------------

    def _blocks(self, t0_ms: int, t1_ms: int) -> list[Block]:
        """The city's reports, less those of lamps without mains, with the last report of each as it loses them."""
        blocks = self._city.blocks(t0_ms, t1_ms)
        device = np.concatenate([b.device for b in blocks]) if blocks else np.zeros(0, dtype=np.int64)
        ts_ms = np.concatenate([b.ts_ms for b in blocks]) if blocks else np.zeros(0, dtype=np.int64)
        if self._plan.trips:
            for trip in self._plan.trips:
                lamps = np.array(trip.lamps, dtype=np.int64)
                dark = np.isin(device, lamps) & (ts_ms >= trip.from_ms) & (ts_ms < trip.until_ms)
                device, ts_ms = device[~dark], ts_ms[~dark]
                if t0_ms <= trip.from_ms < t1_ms:
                    device = np.concatenate([device, lamps])
                    ts_ms = np.concatenate([ts_ms, np.full(len(lamps), trip.from_ms, dtype=np.int64)])
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
        for fault, scope in self._thrown(Reboot):
            for device, at_ms in fault.moments(scope):
                found[device].append(at_ms)
        for trip in self._plan.trips:
            for device in trip.lamps:
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

    # -- sending ---------------------------------------------------------------------------------

    def _pack(self, block: Block, items: list[Item], lost: list[Item]) -> None:
        """Decide for each item whether, when and how it leaves."""
        device, at_ms = block.device, block.ts_ms
        gone = np.zeros(len(items), dtype=np.bool_)
        order = np.lexsort((device, at_ms))  # a burst of losses goes on in order of time
        for fault, scope, bad in self._dropouts:
            hit = np.empty(len(items), dtype=np.bool_)
            hit[order] = fault.lost(scope, device[order], at_ms[order], bad)
            _name(items, hit, fault)
            gone |= hit
        delay = np.zeros(len(items), dtype=np.int64)
        for fault, scope in self._reorders:
            by = fault.delay_ms(scope, device, at_ms)
            _name(items, by > 0, fault)
            delay += by
        kept = self._kept_back(items, device, at_ms, gone)
        befalls = self._befalls(block)
        for row in order.tolist():
            item = items[row]
            if gone[row]:
                lost.append(item)
            elif kept[row]:
                continue
            else:
                self._send(int(at_ms[row] + delay[row]), [item], befalls.get(row, []))

    def _kept_back(self, items: list[Item], device: Ints, at_ms: Ints, gone: Bools) -> Bools:
        """Put what is measured while cut off, and not lost, into the device's buffer."""
        kept = np.zeros(len(items), dtype=np.bool_)
        for fault, scope in self._backfills:
            release = np.where(kept | gone, NEVER, fault.released_ms(scope, device, at_ms))
            kept |= release != NEVER
            _name(items, release != NEVER, fault)
            for row in np.flatnonzero(release != NEVER).tolist():
                place = (int(release[row]), items[row].device)
                self._kept.setdefault(place, (fault, []))[1].append(items[row])
        return kept

    def _befalls(self, block: Block) -> dict[int, list[tuple[Fault, Scope]]]:
        """Which rare faults befall the packet of which row."""
        found: dict[int, list[tuple[Fault, Scope]]] = defaultdict(list)
        rare = (*self._conflicts, *self._damages, *self._oversizes, *self._strangers, *self._impostors)
        for fault, scope in rare:
            for row in np.flatnonzero(fault.hit(scope, block.device, block.ts_ms)).tolist():
                found[row].append((fault, scope))
        for fault, scope in self._duplicates:
            for row in np.flatnonzero(fault.again_ms(scope, block.device, block.ts_ms) != NEVER).tolist():
                found[row].append((fault, scope))
        return found

    def _release(self, until_ms: int | None) -> None:
        """Send the buffers of devices that came back before until_ms (None: of all)."""
        back = sorted(place for place in self._kept if until_ms is None or place[0] < until_ms)
        for place in back:
            fault, items = self._kept.pop(place)
            items.sort(key=lambda item: item.at_ms, reverse=fault.order == "newest")
            for at in range(0, len(items), fault.per_message):
                self._send(place[0], items[at : at + fault.per_message], [])

    def _send(self, send_ms: int, items: list[Item], befalls: list[tuple[Fault, Scope]]) -> None:
        """Put a packet into the queue, spoilt as its faults will have it, and what they send beside it."""
        first = items[0]
        device = self._plan.fleet[first.device]
        region = device.region or self._plan.region
        payload = encode(first.fields if len(items) == 1 else [item.fields for item in items])
        reason, faults, topic = "", [], readings_topic(region, device.id)
        for fault, scope in befalls:
            faults.append(fault.fault)  # type: ignore[attr-defined]
            match fault:
                case Malformed():
                    payload, reason = (
                        fault.payload(scope, first.device, first.at_ms, [i.fields for i in items]),
                        "malformed",
                    )
                case Oversized():
                    payload, reason = encode(first.fields | {"padding": "." * fault.bytes}), "too_large"
                case WrongIdentity():
                    topic = readings_topic(fault.other_than(region), device.id)
                    reason = _first_asked(reason, "identity_mismatch")
                case UnknownDevice():
                    stranger = device.id + STRANGER_SUFFIX
                    at = (send_ms, first.device, stranger, readings_topic(region, stranger))
                    self._queue(*at, payload, (), _first_asked(reason, "unknown_device"), (fault.fault,))
                case Conflict():
                    other = self._other(first)
                    again = send_ms + CONFLICT_AFTER_MS
                    at = (again, first.device, device.id, readings_topic(region, device.id))
                    self._queue(*at, encode(other.fields), (other,), "", (fault.fault,))
        for fault, scope in befalls:
            if isinstance(fault, Duplicate):
                later = fault.again_ms(scope, np.array([first.device]), np.array([first.at_ms]))
                at = (send_ms + int(later[0]), first.device, device.id, topic)
                self._queue(*at, payload, tuple(items), reason, (*faults, fault.fault))
        self._queue(send_ms, first.device, device.id, topic, payload, tuple(items), reason, tuple(faults))

    def _other(self, item: Item) -> Item:
        """The same moment with other values."""
        kind = self._plan.fleet[item.device].kind
        name = next((n for n in MEASURED[kind] if isinstance(item.fields.get(n), float)), None)
        fields = dict(item.fields)
        if name is not None:
            fields[name] = round(fields[name] + 0.25, 3)
        other = replace(item, fields=fields, faults=[])
        foresee(kind, [other], self._plan.fleet)
        return other

    def _queue(
        self,
        send_ms: int,
        device: int,
        device_id: str,
        topic: str,
        payload: bytes,
        items: tuple[Item, ...],
        reason: str,
        faults: tuple[str, ...],
    ) -> None:
        self._order += 1
        packet = Packet(send_ms, device, self._order, device_id, topic, payload, items, reason, faults)
        heapq.heappush(self._waiting, packet)

    def _thrown(self, sort: Any) -> list[tuple[Any, Scope]]:
        plan = self._plan
        return [
            (fault, Scope.of(fault, number, plan.city, plan.names, plan.end_ms))
            for number, fault in enumerate(plan.faults)
            if isinstance(fault, sort)
        ]


def _when(one: Packet | Item) -> int:
    return one.at_ms if isinstance(one, Item) else one.send_ms


def _first_asked(reason: str, of_sender: str) -> str:
    """A server asks for the size first, then for the sender, and decodes last."""
    return reason if reason == "too_large" else of_sender


def _fits(fault: Fault, block: Block) -> bool:
    return fault.kind in (None, block.kind)


def _name(items: list[Item], hit: np.ndarray[Any, Any], fault: Any) -> None:
    for row in np.flatnonzero(hit).tolist():
        items[row].faults.append(fault.fault)
