"""What a message of one device is worth, in plain words: by intake's own verdict, and by the messages before it.

Pure: the clock is in the messages. Checks against what is stored (docs/quality.md) are not made.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from pydantic_core import from_json

from devices.batch import Batch, Packet, Quarantined
from devices.commands import read_answer
from devices.device import Device
from devices.fleet import Fleet
from devices.kind import TEXTS, Kind
from devices.kinds import KINDS
from devices.topics import NATIVE, parse_topic
from ingest.decoders.choose import Decoders
from ingest.intake import Limits, take_in
from siaga import decode
from siaga.durations import seconds_text
from siaga.visit import Heard

Mark = Literal["ok", "note", "wrong"]
STATUS = ("online", "offline")
CLOCK_S = 5.0
HOUR_S = 3_600.0
# Epoch seconds of our years, read as milliseconds, are in January 1970.
SECONDS_LOOK_LIKE = range(1_000_000_000, 5_000_000_000)


class Note(NamedTuple):
    mark: Mark
    text: str


class Judged(NamedTuple):
    """A message, what ingest would make of it, as `siaga decode --json` shows it (None: nothing), and what to say."""

    heard: Heard
    made: Mapping[str, Any] | None
    notes: list[Note]

    @property
    def is_wrong(self) -> bool:
        return any(note.mark == "wrong" for note in self.notes)


@dataclass
class Listener:
    """One device and what has been heard of it since we listen. device: None where it is not registered."""

    device_id: str
    device: Device | None
    limits: Limits
    decoders: Decoders
    _last: tuple[str | None, int] | None = None  # boot and seq
    _values: dict[str, Any] = field(default_factory=dict)  # by ts, of the last readings

    def judge(self, heard: Heard) -> Judged | None:
        """None: the message is of another device."""
        foreign = self.decoders.of(heard.topic)
        if foreign is not None:
            if foreign.device_id != self.device_id:
                return None
        elif not heard.topic.startswith(NATIVE):
            return None
        elif parse_topic(heard.topic) is None:
            return Judged(heard, None, list(_beside(heard)))
        batch = take_in([Packet(heard.topic, heard.payload, heard.at)], self._fleet, self.limits, self.decoders)
        made = decode.as_json([decode.Tried(Packet(heard.topic, heard.payload, heard.at), batch)])[0]
        notes = [*_carried(heard), *self._readings(batch, made, heard.at), *self._refused(batch, heard)]
        if foreign is None and self._kind is not None:
            notes += _fields(self._kind, heard.payload)
        elif batch.unknown_fields:
            notes.append(Note("note", f"{batch.unknown_fields} fields are none of the kind's and are left out"))
        return Judged(heard, made, notes)

    @property
    def _fleet(self) -> Fleet:
        return Fleet([self.device] if self.device else [])

    @property
    def _kind(self) -> Kind | None:
        return KINDS.get(self.device.kind) if self.device else None

    def _readings(self, batch: Batch, made: Mapping[str, Any], at: datetime) -> Iterator[Note]:
        kind = self._kind
        if kind is None or self.device is None:
            return
        for row in made["readings"]:
            before = self._remember(row)
            if before is not None:
                yield before
                continue
            values = ", ".join(f"{name} = {value:.10g}" for name, value in row["values"].items()) or "no values"
            yield Note("ok", f"reading of {row['ts']}: stored in reading_{kind.name}, qc {row['qc']}; {values}")
            yield from _quality(kind, row)
            yield from _clock(datetime.fromisoformat(row["ts"]), at, "late" in row["reasons"])
            yield from self._sequence(row)
            if "distance_m" in row["values"] and "level_m" not in row["values"]:
                yield Note("note", "no level_m comes of distance_m: the device has no attribute sensor_to_datum_m")

    def _remember(self, row: Mapping[str, Any]) -> Note | None:
        """What it is where its time was told before: a repeat, or another reading in its place."""
        told = {name: value for name, value in row["values"].items() if name not in row["derived"]}
        before = self._values.get(row["ts"])
        if before is None:
            self._values[row["ts"]] = told
            if len(self._values) > self.limits.array_max:
                self._values.pop(next(iter(self._values)))
            return None
        if before == told:
            return Note("ok", f"reading of {row['ts']} again: counted as a duplicate, nothing is stored twice")
        text = f"reading of {row['ts']} was told with other values before: the first stays, this is a conflict"
        return Note("wrong", text)

    def _sequence(self, row: Mapping[str, Any]) -> Iterator[Note]:
        boot, seq = row["boot"], row["seq"]
        if seq is None:
            yield Note("note", "no seq: a reading that gets lost cannot be named")
            return
        last, self._last = self._last, (boot, seq)
        if last is None:
            return
        if last[0] != boot:
            text = f"new boot {boot!r}" if boot else "boot is gone"
            yield Note(
                "note", text if seq == 0 else f"{text}, and seq begins at {seq}: 0 to {seq - 1} count as missing"
            )
        elif seq == last[1]:
            yield Note("note", f"seq {seq} again")
        elif seq < last[1]:
            yield Note(
                "wrong", f"seq went back from {last[1]} to {seq} in the same boot: after a restart send another boot"
            )
            self._last = last
        elif seq > last[1] + 1:
            missing = f"{last[1] + 1}" if seq == last[1] + 2 else f"{last[1] + 1} to {seq - 1}"
            yield Note("wrong", f"seq {missing} missing, unless it comes later")

    def _refused(self, batch: Batch, heard: Heard) -> Iterator[Note]:
        for entry in batch.quarantined:
            yield Note("wrong", f"quarantined as {entry.reason}: {entry.detail}")
            yield from _hint(entry)
            if self._kind is not None and entry.reason == "malformed":
                yield from _texts(self._kind, entry.payload)


def summary(judged: list[Judged]) -> str:
    made = [each.made for each in judged if each.made is not None]
    readings = sum(len(each["readings"]) for each in made)
    refused = sum(len(each["quarantined"]) for each in made)
    wrong = sum(each.is_wrong for each in judged)
    return f"messages {len(judged)}, readings {readings}, quarantined {refused}; something is wrong with {wrong}"


def _beside(heard: Heard) -> Iterator[Note]:
    """What is under the device's topic and is no reading."""
    what = heard.topic.rpartition("/")[2]
    if what == "status" and len(heard.topic.split("/")) == 5:
        said = heard.payload.decode(errors="replace")
        if said in STATUS:
            yield Note("ok", f"status {said}{', retained' if heard.retained else ''}")
        else:
            yield Note("wrong", f"status {said[:40]!r} is neither online nor offline")
    elif heard.topic.endswith("/command/result"):
        answer = read_answer(heard.payload)
        if answer is None:
            yield Note("wrong", 'no answer: it must be {"id": that of the command, "ok": true or false}')
        else:
            yield Note("ok", f"answers command {answer.id}: {'done' if answer.ok else answer.error or 'not done'}")
    elif what == "command":
        yield Note("note", "a command to the device; no reading")
    else:
        yield Note("wrong", "nobody takes this topic: it must be siaga/v1/{region}/{device_id}/readings")


def _carried(heard: Heard) -> Iterator[Note]:
    if heard.retained:
        yield Note("wrong", "retained: every new subscriber gets it again; publish readings without it")
    if heard.qos == 0:
        yield Note("wrong", "came with QoS 0: what is on the way when the network breaks is lost; publish with QoS 1")


def _quality(kind: Kind, row: Mapping[str, Any]) -> Iterator[Note]:
    for name, value in row["values"].items():
        metric = kind.metrics.get(name)
        if metric is not None and not metric.low <= value <= metric.high:
            limits = f"{metric.low:g} … {metric.high:g} {metric.unit}"
            yield Note(
                "wrong", f"{name} = {value:g} is outside {limits}: stored and flagged, out of aggregates and alerts"
            )
    if "cross_field" in row["reasons"]:
        yield Note("wrong", "its values rule each other out: stored and flagged (docs/quality.md)")
    if row["qc"] == 9:
        yield Note(
            "wrong",
            f"no metric of a {kind.name} in it: it takes {', '.join(sorted(kind.wire_fields & kind.metrics.keys()))}",
        )


def _clock(ts: datetime, at: datetime, is_late: bool) -> Iterator[Note]:
    ahead_s = (ts - at).total_seconds()
    if is_late:
        yield Note("note", f"{seconds_text(-ahead_s)} old: stored and marked late, it moves no live alert")
    elif ahead_s > CLOCK_S:
        yield Note("note", f"its clock is {seconds_text(ahead_s)} ahead of this machine's")
    elif ahead_s < -60:
        yield Note("note", f"{seconds_text(-ahead_s)} old: it was kept back, or the clock is slow")


def _hint(entry: Quarantined) -> Iterator[Note]:
    if entry.reason == "future_timestamp" and entry.skew_s is not None:
        hours = round(entry.skew_s / HOUR_S)
        if hours and abs(entry.skew_s - hours * HOUR_S) < 300:
            yield Note("note", f"nearly {hours} h ahead: local time sent as UTC? Send it as +{hours:02}:00, or as UTC")
    elif entry.reason == "too_old":
        for item in _items(entry.payload):
            ts = item.get("ts")
            if isinstance(ts, int | float) and int(ts) in SECONDS_LOOK_LIKE:
                yield Note("note", "ts looks like seconds after 1970: send milliseconds")
    elif entry.reason == "unknown_device":
        yield Note("note", "register it: `siaga devices import FILE.csv`; then replay what is in quarantine")


def _fields(kind: Kind, payload: bytes) -> Iterator[Note]:
    """Fields that the kind does not have, each with the name that may be meant."""
    unknown = sorted({name for item in _items(payload) for name in item} - kind.wire_fields)
    for name in unknown:
        near = difflib.get_close_matches(name.lower(), sorted(kind.wire_fields), n=1)
        yield Note("wrong", f"{name} is no field of a {kind.name}: left out{f'; is {near[0]} meant?' if near else ''}")


def _texts(kind: Kind, payload: bytes) -> Iterator[Note]:
    for item in _items(payload):
        for name, value in item.items():
            if isinstance(value, str) and name in kind.wire_fields - {"ts", *TEXTS}:
                yield Note("note", f'{name} is the text "{value[:40]}": send a number, with a dot and without quotes')


def _items(payload: bytes) -> list[dict[str, Any]]:
    try:
        told = from_json(payload, allow_inf_nan=True)
    except ValueError:
        return []
    return [item for item in (told if isinstance(told, list) else [told]) if isinstance(item, dict)]


def as_json(judged: Judged) -> dict[str, Any]:
    heard = judged.heard
    return {
        "topic": heard.topic,
        "received_at": heard.at.astimezone(UTC).isoformat(),
        "qos": heard.qos,
        "retained": heard.retained,
        "bytes": len(heard.payload),
        "readings": judged.made["readings"] if judged.made else [],
        "quarantined": judged.made["quarantined"] if judged.made else [],
        "notes": [note._asdict() for note in judged.notes],
    }


def as_lines(judged: Judged) -> Iterator[str]:
    heard = judged.heard
    yield f"{heard.at:%H:%M:%S} UTC  {heard.topic}  QoS {heard.qos}, {len(heard.payload)} bytes"
    for note in judged.notes:
        yield f"  {note.mark:<5}  {note.text}"
