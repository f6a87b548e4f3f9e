"""What becomes of every reading: the account of a run, written as packets leave in order of sending.

Pure but for what it remembers: which (device, ts) have been sent, and what flags and alerts are judged by.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np

from devices.quality import Quality, Reason
from devices.topics import readings_topic
from simulator.field import Packet
from simulator.items import Item
from simulator.plan import Plan
from simulator.truth.folder import Clock, Expected, Outcome, Told
from simulator.truth.oracle import NEEDED, Series, expected_alerts
from simulator.truth.quality import Watched

NOT_SENT = -1
DAY_MS = 86_400_000


class Limits(NamedTuple):
    """Where the server refuses a time or a size: its settings SIAGA_FUTURE_MAX_S, _AGE_MAX_DAYS, _PAYLOAD_MAX_BYTES."""

    future_max_s: int = 300
    age_max_days: int = 3_650
    payload_max_bytes: int = 262_144


class _Heard:
    """One device's readings as they arrive, for the oracle."""

    def __init__(self, metrics: tuple[str, ...]) -> None:
        self.ts_ms, self.message = array("q"), array("q")
        self.first, self.trusted, self.restless = array("b"), array("b"), array("b")
        self.columns = {name: array("d") for name in metrics}


class Account:
    """now_ms: when the run began, by which a time is in the future or too old; None: each packet's own moment."""

    def __init__(self, plan: Plan, clock: Clock, now_ms: int, limits: Limits | None = None) -> None:
        self._plan, self._clock = plan, clock
        self._now_ms = None if clock == "live" else now_ms
        self._limits = limits or Limits()
        self._stored: dict[tuple[int, int], tuple[float | None, ...]] = {}
        self._conflicts: set[tuple[int, int, str, int, tuple[float | None, ...]]] = set()
        self._lost: set[tuple[int, str, int]] = set()
        self._heard: dict[int, _Heard] = {}
        self._watched: dict[int, Watched] = {}

    def lost(self, item: Item) -> Told:
        """An item that is never sent."""
        return self._told(NOT_SENT, item, "", "not_sent", (), item.values)

    def sent(self, number: int, packet: Packet) -> list[Told]:
        """The items of a packet, and the packet itself where it is refused whole."""
        if packet.reason:
            # What the packet carried is lost with it, once: the packet may be sent again.
            lost = [item for item in packet.items if (item.device, item.boot, item.seq) not in self._lost]
            self._lost |= {(item.device, item.boot, item.seq) for item in lost}
            told = [self._told(NOT_SENT, item, "", "not_sent", packet.faults, item.values) for item in lost]
            return [*told, self._refused(number, packet)]
        return [self._arrived(number, packet, item) for item in packet.items]

    def alerts(self, end_ms: int) -> list[Expected]:
        """Every alert that must or may come of what was sent, in order of raising."""
        found: list[Expected] = []
        for i, heard in self._heard.items():
            series = Series(
                np.array(heard.ts_ms, dtype=np.int64),
                np.array(heard.first, dtype=np.bool_),
                np.array(heard.trusted, dtype=np.bool_),
                np.array(heard.restless, dtype=np.bool_),
                {name: np.array(column, dtype=np.float64) for name, column in heard.columns.items()},
                np.array(heard.message, dtype=np.int64),
            )
            found += expected_alerts(self._plan.fleet[i], series, self._clock, end_ms)
        return sorted(found, key=lambda one: (one.steps[0].at_ms, one.device_id, one.rule))

    def _refused(self, number: int, packet: Packet) -> Told:
        device = self._plan.fleet[packet.device]
        own = readings_topic(device.region or self._plan.region, device.id)
        return Told(
            number, packet.device_id, "" if packet.topic == own else packet.topic, packet.send_ms, None, None, None,
            packet.reason, None, None, " ".join(packet.faults), {},  # type: ignore[arg-type]
        )  # fmt: skip

    def _arrived(self, number: int, packet: Packet, item: Item) -> Told:
        if item.unreadable:
            refused = self._told(number, item, "", "malformed", packet.faults, {})
            return refused._replace(ts_ms=None, qc=None, reason=None)
        now_ms = packet.send_ms if self._now_ms is None else self._now_ms
        if item.ts_ms - now_ms > 1000 * self._limits.future_max_s:
            return self._told(number, item, "", "future_timestamp", packet.faults, item.values)
        if now_ms - item.ts_ms > DAY_MS * self._limits.age_max_days:
            return self._told(number, item, "", "too_old", packet.faults, item.values)
        outcome = self._outcome(item)
        qc, reason = self._judged(item)
        self._hear(number, item, outcome == "stored", qc, reason)
        told = self._told(number, item, "", outcome, packet.faults, item.values)
        return told._replace(qc=qc, reason=reason)

    def _judged(self, item: Item) -> tuple[int, int]:
        """Flag and reasons as the server gives them, which knows what arrived of the device before."""
        watched = self._watched.get(item.device)
        if watched is None:
            watched = self._watched[item.device] = Watched(self._plan.fleet[item.device])
        return watched.judge(item.ts_ms, item.values, item.qc, item.reason)

    def _outcome(self, item: Item) -> Outcome:
        """First come, first stored; the same values again are a duplicate, others at the same time a conflict, once.

        Quarantine compares whole payloads, so that another seq is another conflict.
        """
        place, values = (item.device, item.ts_ms), tuple(item.values.values())
        there = self._stored.setdefault(place, values)
        if there is values:
            return "stored"
        conflict = (*place, item.boot, item.seq, values)
        if there == values or conflict in self._conflicts:
            return "duplicate"
        self._conflicts.add(conflict)
        return "conflict"

    def _hear(self, number: int, item: Item, first: bool, qc: int, reason: int) -> None:
        heard = self._heard.get(item.device)
        if heard is None:
            kind = self._plan.fleet[item.device].kind
            heard = self._heard[item.device] = _Heard(NEEDED[kind])
        heard.ts_ms.append(item.ts_ms)
        heard.message.append(number)
        heard.first.append(first)
        heard.trusted.append(qc <= Quality.NOT_EVALUATED)
        heard.restless.append(bool(reason & Reason.RESTLESS))
        for name, column in heard.columns.items():
            value = item.values[name]
            column.append(float("nan") if value is None else value)

    def _told(
        self,
        number: int,
        item: Item,
        topic: str,
        outcome: Outcome,
        faults: tuple[str, ...],
        values: dict[str, float | None],
    ) -> Told:
        return Told(
            number, self._plan.fleet[item.device].id, topic, item.at_ms, item.ts_ms, item.seq, item.boot, outcome,
            item.qc, item.reason, " ".join(dict.fromkeys([*item.faults, *faults])), values,
        )  # fmt: skip
