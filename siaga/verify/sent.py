"""What the truth tells of one kind, as columns: what each reading was, and how many packets ended in quarantine."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from devices.device import Device
from devices.kind import Bools, Kind
from devices.topics import parse_topic, readings_topic
from ingest.intake import STRANGER
from simulator.truth.folder import OUTCOMES, Told, Truth
from storage.audit import NONE, Ints, Rows

NUMBER = {outcome: number for number, outcome in enumerate(OUTCOMES)}
STORED, DUPLICATE, CONFLICT = NUMBER["stored"], NUMBER["duplicate"], NUMBER["conflict"]
NOT_SENT = NUMBER["not_sent"]
PLACED = (STORED, DUPLICATE, CONFLICT)
LEAST = np.iinfo(np.int64).min  # the time of a packet that has none


class Entry(NamedTuple):
    """Packets in quarantine alike: whose line, on which topic, why."""

    device_id: str
    topic: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sent:
    """Readings of one kind, by device, time and order of sending.

    rows: whole qc, qc_reason, seq and message, texts boot, numbers the metrics. outcome: index in OUTCOMES. sure: it
    became that.
    """

    rows: Rows
    outcome: Ints
    sure: Bools

    def of(self, first: int, beyond: int) -> Sent:
        """Those of some devices, which are numbered anew from 0."""
        low, high = np.searchsorted(self.rows.device, [first, beyond])
        part = slice(int(low), int(high))
        rows = self.rows
        return Sent(
            Rows(
                rows.device[part] - first,
                rows.at_us[part],
                {name: column[part] for name, column in rows.whole.items()},
                {name: column[part] for name, column in rows.numbers.items()},
                {name: column[part] for name, column in rows.texts.items()},
            ),
            self.outcome[part],
            self.sure[part],
        )


@dataclass(frozen=True)
class OfKind:
    """All that the truth tells of a kind. outcomes count what is sure, unsure the rest, by device.

    quarantined: the times (µs, None where a packet has none) of what surely ended there.
    """

    kind: Kind
    devices: tuple[str, ...]
    sent: Sent
    outcomes: Mapping[str, int]
    quarantined: Mapping[Entry, Sequence[int | None]]
    unsure: Mapping[str, int]

    @property
    def published(self) -> int:
        return sum(self.outcomes.values()) - self.outcomes["not_sent"] + sum(self.unsure.values())


def read_kind(truth: Truth, kind: Kind) -> OfKind:
    """Read the readings of a kind. Raises TruthError."""
    devices = tuple(device.id for device in truth.fleet if device.kind == kind.name)
    fleet = {device.id: device for device in truth.fleet}
    outcomes: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
    quarantined: defaultdict[Entry, list[int | None]] = defaultdict(list)
    unsure: Counter[str] = Counter()

    def counted() -> Iterator[tuple[Told, bool]]:
        for told, sure in surely(truth.rows(kind.name), truth.unsure):
            if not sure:
                unsure[told.device_id] += 1
            else:
                outcomes[told.outcome] += 1
                # A conflict is counted as one, and kept in quarantine too.
                if told.outcome not in ("stored", "duplicate", "not_sent"):
                    entry = _entry(told, fleet, truth.summary.region)
                    quarantined[entry].append(None if told.ts_ms is None else told.ts_ms * 1000)
            yield told, sure

    return OfKind(kind, devices, columns(kind, devices, counted()), outcomes, quarantined, unsure)


def surely(told: Iterable[Told], unsure: Container[int]) -> Iterator[tuple[Told, bool]]:
    """Each, and whether it became what is told: not where the broker may have lost it, or one before it of its time."""
    shaky: set[tuple[str, int | None]] = set()
    for one in told:
        key = (one.device_id, one.ts_ms)
        if one.message in unsure:
            shaky.add(key)
            yield one, False
        else:
            yield one, one.outcome not in ("duplicate", "conflict") or key not in shaky


def columns(kind: Kind, devices: Sequence[str], told: Iterable[tuple[Told, bool]]) -> Sent:
    """Readings of these devices as columns, each with whether it is sure; those of others are passed over."""
    index = {device_id: number for number, device_id in enumerate(devices)}
    device, at_us, outcome, qc, reason, seq, message, sure = (array("q") for _ in range(8))
    numbers = {name: array("d") for name in kind.metrics}
    boot: list[str | None] = []
    boots: dict[str, str] = {}  # each name once, not once a reading
    for one, certain in told:
        number = index.get(one.device_id)
        if number is None:
            continue
        device.append(number)
        at_us.append(LEAST if one.ts_ms is None else one.ts_ms * 1000)
        outcome.append(NUMBER[one.outcome])
        qc.append(NONE if one.qc is None else one.qc)
        reason.append(NONE if one.reason is None else one.reason)
        message.append(one.message)
        seq.append(NONE if one.seq is None else one.seq)
        sure.append(certain)
        boot.append(None if one.boot is None else boots.setdefault(one.boot, one.boot))
        for name, column in numbers.items():
            value = one.values.get(name)
            column.append(np.nan if value is None else value)
    order = np.lexsort((np.asarray(at_us), np.asarray(device)))
    rows = Rows(
        np.asarray(device)[order],
        np.asarray(at_us)[order],
        {
            name: np.asarray(column)[order]
            for name, column in (("qc", qc), ("qc_reason", reason), ("seq", seq), ("message", message))
        },
        {name: np.asarray(column)[order] for name, column in numbers.items()},
        {"boot": [boot[i] for i in order]},
    )
    return Sent(rows, np.asarray(outcome)[order], np.asarray(sure, dtype=np.bool_)[order])


def _entry(told: Told, fleet: Mapping[str, Device], region: str) -> Entry:
    known = fleet.get(told.device_id)
    topic = told.topic or readings_topic((known and known.region) or region, told.device_id)
    parsed = parse_topic(topic)
    sender = parsed.device_id if parsed and parsed.device_id in fleet and told.outcome != "unknown_device" else STRANGER
    return Entry(sender, topic, told.outcome)
