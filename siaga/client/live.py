"""The live stream: server-sent events as values, and connections made again where the last one ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from siaga.client.alerts import Alert, Counts, Transition
from siaga.client.answers import Number, Time, read
from siaga.client.commands import Command
from siaga.client.devices import Presence
from siaga.client.errors import UnreachableError
from siaga.client.plain import Plain
from siaga.client.readings import Latest
from siaga.client.values import Value
from siaga.client.wire import PAUSE_S, Wire


@dataclass(frozen=True, slots=True)
class AlertChanged:
    """A transition, the alert as it is now, and how many there are. id: where to go on, as `last_id`."""

    id: int
    transition: Transition
    alert: Alert
    counts: Counts


@dataclass(frozen=True, slots=True)
class LatestChanged:
    items: tuple[Latest, ...]


@dataclass(frozen=True, slots=True)
class CommandChanged(Command):
    """A command as it is now, of a device of this kind and district."""

    kind: str
    district: str | None


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """A device that came or went."""

    kind: str
    district: str | None
    device_id: str
    presence: Presence


@dataclass(frozen=True, slots=True)
class Beat:
    """Every 5 s: the server's time, the age of the newest arrival, readings stored a second."""

    now: Time
    lag_s: Number
    readings_per_s: Number


@dataclass(frozen=True, slots=True)
class Reset:
    """Events are missing, too many or too old to be replayed: load everything again, then go on after this id."""

    id: int


Event = AlertChanged | LatestChanged | CommandChanged | PresenceChanged | Beat | Reset
SHAPES: Mapping[str, type[Event]] = {
    "alert": AlertChanged, "latest": LatestChanged, "command": CommandChanged, "presence": PresenceChanged,
    "beat": Beat, "reset": Reset,
}  # fmt: skip


class LiveCalls(Plain):
    """Live events."""

    def stream(
        self,
        *,
        topic: Sequence[str] | None = None,
        kind: str | None = None,
        district: str | None = None,
        last_id: int | None = None,
    ) -> Iterator[Event]:
        """Live events for ever, over as many connections as it takes: each change of an alert once and in order.

        last_id: go on after this event. After a Reset load again what you keep: changes are missing before it."""
        query = {"topic": topic, "kind": kind, "district": district}
        return follow(self._wire, "/stream", query, None if last_id is None else str(last_id))


def follow(wire: Wire, path: str, query: Mapping[str, Value], last_id: str | None) -> Iterator[Event]:
    """Events for ever: a stream that ends is opened again after its last id, unless nobody is there for patience_s."""
    pause_s, heard = PAUSE_S, None
    while True:
        try:
            with wire.stream(path, query, last_id) as chunks:
                for fields in blocks(chunks):
                    heard = time.monotonic()
                    last_id = fields.get("id", last_id)
                    pause_s = _seconds(fields.get("retry")) or pause_s
                    event = _event(fields)
                    if event is not None:
                        yield event
        except UnreachableError:
            if heard is None or time.monotonic() + pause_s > heard + wire.patience_s:
                raise
        time.sleep(pause_s)


def blocks(chunks: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """The fields of each event. Lines end with \\n alone: JSON text may hold other line ends, as U+2028."""
    rest, fields = b"", dict[str, str]()
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.removesuffix(b"\r").decode().partition(":")
            if name:
                value = value.removeprefix(" ")
                fields[name] = f"{fields['data']}\n{value}" if name == "data" and "data" in fields else value
            elif line.strip() == b"" and fields:
                yield fields
                fields = {}


def _event(fields: Mapping[str, str]) -> Event | None:
    """None: only an id or a comment, or an event of a later version."""
    shape = SHAPES.get(fields.get("event", ""))
    if shape is None:
        return None
    return read(shape, json.loads(fields.get("data", "{}")) | ({"id": fields["id"]} if "id" in fields else {}))


def _seconds(milliseconds: str | None) -> float | None:
    return int(milliseconds) / 1000 if milliseconds and milliseconds.isdigit() else None
