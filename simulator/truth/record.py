"""Recording a run as it goes: every packet into the truth folder, and what the broker answered for it."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from simulator.field import Packet
from simulator.items import Item
from simulator.mqtt.publish import Publisher
from simulator.plan import Plan
from simulator.scenario import Expectation
from simulator.truth.account import Account
from simulator.truth.folder import Clock, Expected, Summary, Writer
from simulator.truth.incidents import expected_incidents

HOUR_MS = 3_600_000


class Record:
    """The truth of one run. may_lose_s: what a broker without durable persistence may lose when it is killed is what
    it acknowledged so shortly before, and so shortly after it is back, before whoever listens has subscribed again;
    0 for brokers that keep what they acknowledge."""

    def __init__(self, folder: Path, plan: Plan, clock: Clock, now_ms: int, may_lose_s: float) -> None:
        self._plan, self._clock, self._may_lose_s = plan, clock, may_lose_s
        self._writer = Writer(folder, plan.fleet)
        self._account = Account(plan, clock, now_ms)
        self._awaited: list[dict[int, int]] = []  # per connection: ordinal there → number of the message
        self._recent: deque[tuple[float, int]] = deque()  # acknowledged: when, number
        self._unsure: dict[int, str] = {}
        self._heard: set[str] = set()
        self._lost = False  # a connection, and nothing acknowledged since
        self._sure_from = 0.0
        self._number = 0
        self.outcomes = self._writer.outcomes

    def watch(self, lanes: Sequence[Publisher]) -> None:
        """Follow the acknowledgements of these connections."""
        for lane in lanes:
            awaited: dict[int, int] = {}
            self._awaited.append(awaited)
            lane.on_acknowledged = lambda ordinal, awaited=awaited: self._acknowledged(awaited.pop(ordinal))
            lane.on_lost = self._connection_lost

    def lost(self, item: Item) -> None:
        """An item that never leaves its device."""
        self._writer.add(self._plan.fleet[item.device].kind, self._account.lost(item))

    def sending(self, lane: int, ordinal: int, packet: Packet) -> None:
        """A packet that is about to be handed to a connection as its ordinal-th."""
        self._awaited[lane][ordinal] = self._number
        kind = self._plan.fleet[packet.device].kind
        for told in self._account.sent(self._number, packet):
            self._writer.add(kind, told)
            if told.outcome == "stored":
                self._heard.add(told.device_id)
        self._number += 1

    def finish(self, end_ms: int) -> list[str]:
        """Write what is left; the expectations of the scenario that were not met, in words."""
        for awaited in self._awaited:
            self._unsure |= dict.fromkeys(awaited.values(), "not acknowledged")
        alerts = self._account.alerts(end_ms)
        plan = self._plan
        summary = Summary(
            plan.scenario, plan.seed, plan.region, self._clock, plan.start_ms, end_ms, len(plan.fleet), self._number,
            dict(self.outcomes), len(alerts),
        )  # fmt: skip
        self._writer.finish(
            summary, alerts, self._unsure, expected_incidents(plan.fleet, self._heard, alerts, self._clock)
        )  # fmt: skip
        return unmet(plan, alerts) if end_ms >= plan.end_ms else []

    def close(self) -> None:
        self._writer.close()

    def _acknowledged(self, number: int) -> None:
        if not self._may_lose_s:
            return
        now = time.monotonic()
        if self._lost:
            self._lost, self._sure_from = False, now + self._may_lose_s
        if now < self._sure_from:
            self._unsure[number] = f"acknowledged within {self._may_lose_s:g} s after the broker came back"
        self._recent.append((now, number))
        while self._recent[0][0] < now - self._may_lose_s:
            self._recent.popleft()

    def _connection_lost(self) -> None:
        self._lost = True
        since = time.monotonic() - self._may_lose_s
        why = f"acknowledged within {self._may_lose_s:g} s before the connection broke"
        self._unsure |= {number: why for at, number in self._recent if at >= since}


def unmet(plan: Plan, alerts: Sequence[Expected]) -> list[str]:
    """What a scenario says must come of it and does not, and alerts that it does not speak of."""
    names = dict(zip((device.id for device in plan.fleet), plan.names, strict=True))
    wrong, spoken = [], Counter[str]()
    for wanted in plan.expect:
        found = [one for one in alerts if _fits(wanted, one, names[one.device_id], plan.start_ms)]
        spoken.update(dict.fromkeys((f"{one.rule} {one.device_id} {one.steps[0].at_ms}" for one in found), 1))
        least, most = wanted.counts
        if not least <= len(found) <= most:
            number = f"{least}" if least == most else f"{least} to {most}"
            wrong.append(f"{number} alerts {wanted.rule!r} expected on {wanted.devices}, found {len(found)}")
    if plan.expect:
        others = [
            one for one in alerts if one.must and f"{one.rule} {one.device_id} {one.steps[0].at_ms}" not in spoken
        ]
        wrong += [f"not expected: {one.rule!r} on {names[one.device_id]}" for one in others]
    return wrong


def _fits(wanted: Expectation, one: Expected, name: str, start_ms: int) -> bool:
    at_h = (one.steps[0].at_ms - start_ms) / HOUR_MS
    return (
        one.must
        and one.rule == wanted.rule
        and fnmatchcase(name, wanted.devices)
        and wanted.severity in (None, one.peak)
        and wanted.from_h <= at_h <= (wanted.until_h or float("inf"))
    )
