"""The field: what befalls the readings of a plan's devices on their way, and the packets that leave for the broker.

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
from simulator.city import Block, Ints
from simulator.faults.fault import NEVER, Fault, Scope
from simulator.faults.network import (
    Backfill,
    Conflict,
    Dropout,
    Duplicate,
    Malformed,
    Oversized,
    Reorder,
    UnknownDevice,
    WrongIdentity,
)
from simulator.faults.values import MEASURED
from simulator.items import Item, foresee
from simulator.plan import STRANGER_SUFFIX, Plan
from simulator.sensing import Sensing

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
    """The way from the devices of a plan to the broker: what is lost, held back, overtaken, spoilt, sent twice."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._sensing = Sensing(plan)
        self._dropouts = [(*each, np.zeros(len(plan.fleet), dtype=np.bool_)) for each in plan.thrown(Dropout)]
        self._backfills, self._reorders = plan.thrown(Backfill), plan.thrown(Reorder)
        self._rare = plan.thrown(Conflict | Malformed | Oversized | UnknownDevice | WrongIdentity)
        self._duplicates = plan.thrown(Duplicate)
        self._kept: dict[tuple[int, int], tuple[Backfill, list[Item]]] = {}  # (release, device): buffered
        self._waiting: list[Packet] = []
        self._order = 0

    def window(self, t0_ms: int, t1_ms: int) -> Window:
        """What is measured in [t0_ms, t1_ms), and what is to be sent before t1_ms."""
        lost: list[Item] = []
        for block, items in self._sensing.window(t0_ms, t1_ms):
            self._pack(block, items, lost)
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
        for fault, scope in self._rare:
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
        topic, reason = readings_topic(region, device.id), ""
        faults: list[str] = []
        for fault, scope in befalls:
            match fault:
                case Malformed():
                    payload = fault.payload(scope, first.device, first.at_ms, [item.fields for item in items])
                    reason, faults = "malformed", [*faults, fault.fault]
                case Oversized():
                    payload = encode(first.fields | {"padding": "." * fault.bytes})
                    reason, faults = "too_large", [*faults, fault.fault]
                case WrongIdentity():
                    topic = readings_topic(fault.other_than(region), device.id)
                    reason, faults = _first_asked(reason, "identity_mismatch"), [*faults, fault.fault]
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


def _when(one: Packet | Item) -> int:
    return one.at_ms if isinstance(one, Item) else one.send_ms


def _first_asked(reason: str, of_sender: str) -> str:
    """A server asks for the size first, then for the sender, and decodes last."""
    return reason if reason == "too_large" else of_sender


def _name(items: list[Item], hit: np.ndarray[Any, Any], fault: Any) -> None:
    for row in np.flatnonzero(hit).tolist():
        items[row].faults.append(fault.fault)
