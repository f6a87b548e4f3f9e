"""Readings of many devices into one CSV file, a page at a time, up to a limit that the file names where it is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

from alerts import incident_file as file
from alerts.incident_file import Span
from devices.device import Device
from devices.kind import Kind
from devices.kinds import KINDS
from storage import read_readings
from storage.incident_zip import Bundle, Entry
from storage.read_readings import FIXED, Found, Window

PAGE = 5_000
SETTING = "SIAGA_INCIDENT_FILE_READINGS_MAX"
# Told of every reading: its device, the names of its cells, its time, its code, its cells.
Watch = Callable[[Device, Sequence[str], datetime, int, Sequence[Any]], None]


class Written(NamedTuple):
    """cut: there were more."""

    rows: int
    cut: bool


async def write_readings(
    conn: psycopg.AsyncConnection[Any], bundle: Bundle, devices: Sequence[Device], span: Span, most: int, watch: Watch
) -> Written:
    """Readings of the span, device after device, each in order of time."""
    known = [device for device in devices if device.kind in KINDS]
    numbers = list(dict.fromkeys(name for device in known for name in KINDS[device.kind].numbers))
    left, cut = most, False
    with bundle.open(file.READINGS) as entry:
        entry.write(file.line(["device_id", "kind", *FIXED, *file.WORDS, *numbers]))
        for device in known:
            told = _Told(device, KINDS[device.kind], numbers, watch)
            count, cut = await _of_device(conn, entry, told, span, left)
            left -= count
            if cut:
                entry.write(file.cut_line(file.READINGS, most, SETTING))
                break
    return Written(most - left, cut)


class _Told:
    """How readings of a device are written: which cell goes where."""

    def __init__(self, device: Device, kind: Kind, numbers: Sequence[str], watch: Watch) -> None:
        self.device, self.kind, self._watch = device, kind, watch
        self._columns = read_readings.columns(kind)
        at = {name: place for place, name in enumerate(self._columns)}
        self._qc, self._reason = at["qc"], at["qc_reason"]
        self._places = [at.get(name) for name in numbers]

    def lines(self, found: Sequence[Found]) -> str:
        for each in found:
            self._watch(self.device, self._columns, each.ts, each.qc, each.content)
        return file.lines(map(self._cells, found))

    def _cells(self, found: Found) -> list[Any]:
        cells = found.content
        words = file.quality_words(cells[self._qc], cells[self._reason])
        values = [None if place is None else cells[place] for place in self._places]
        return [self.device.id, self.kind.name, *cells[: len(FIXED)], *words, *values]


async def _of_device(
    conn: psycopg.AsyncConnection[Any], entry: Entry, told: _Told, span: Span, most: int
) -> tuple[int, bool]:
    """How many were written, and whether there are more than `most`."""
    window = Window(told.device.id, span.since, span.until, None, 0)
    count = 0
    while True:
        asked = min(PAGE, most - count) + 1
        page = await read_readings.readings(conn, told.kind, window._replace(limit=asked), as_json=False)
        kept = page[: asked - 1]
        await asyncio.to_thread(_write, entry, told, kept)
        count += len(kept)
        if len(page) < asked:
            return count, False
        if count >= most:
            return count, True
        window = window._replace(after=kept[-1].ts)


def _write(entry: Entry, told: _Told, page: Sequence[Found]) -> None:
    entry.write(told.lines(page))
