"""Replaying a recorded CSV: every row becomes one message, in the order of the file, duplicates included.

A row that cannot become a message is never dropped in silence: it comes back with its line number and the reason.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from devices.device import Device, check
from devices.topics import is_device_id
from simulator.replay_map import EPOCHS, MapError, ReplayMap, Source, TextColumn

Cells = dict[str, str]


class Row(NamedTuple):
    """One row as a message."""

    line: int
    device_id: str
    ts: datetime
    fields: dict[str, Any]


class Refused(NamedTuple):
    """A row that is no message, and why."""

    line: int
    why: str


def rows(path: Path, plan: ReplayMap) -> Iterator[Row | Refused]:
    """Every row of the file in its order. Raises MapError when the file or a column that the map names is missing."""
    known = {entry.match: entry.id for entry in plan.devices}
    zone = ZoneInfo(plan.ts.zone)
    for line, cells in _cells(path, plan):
        if isinstance(cells, Refused):
            yield cells
            continue
        device_id = _device_id(cells[plan.device.column], known, plan)
        if device_id is None:
            name = cells[plan.device.column]
            yield Refused(line, f"{plan.device.column}: {name!r} is not in the map's devices, and gives no id")
            continue
        try:
            ts = _time(cells[plan.ts.column], plan.ts.format, zone)
        except (ValueError, OverflowError, OSError):
            text = cells[plan.ts.column]
            yield Refused(line, f"{plan.ts.column}: {text!r} is no time of the form {plan.ts.format!r}")
            continue
        fields: dict[str, Any] = {"ts": ts}
        wrong = None
        for name, source in plan.metrics.items():
            text = cells[source.column]
            try:
                value = round(float(text) * source.scale + source.offset, 6) if text else None
            except ValueError:
                value = math.nan
            if value is not None and not math.isfinite(value):
                wrong = Refused(line, f"{source.column}: {text!r} is no number")
                break
            if value is not None:
                fields[name] = value
        yield wrong or Row(line, device_id, ts, fields)


def fleet(path: Path, plan: ReplayMap) -> list[Device]:
    """The devices of the map and of the file, in order of appearance; what their first row says of them counts.

    Raises MapError for a device that no registry would take.
    """
    found: dict[str, Device] = {}
    known = {entry.match: entry.id for entry in plan.devices}
    entries = {entry.id: entry for entry in plan.devices}
    for line, cells in _cells(path, plan):
        if isinstance(cells, Refused):
            continue
        device_id = _device_id(cells[plan.device.column], known, plan)
        if device_id is None or device_id in found:
            continue
        entry = entries.get(device_id)
        lat, lon = (entry.lat, entry.lon) if entry else (None, None)
        if lat is None and plan.place is not None:
            lat, lon = _degrees(cells[plan.place.lat]), _degrees(cells[plan.place.lon])
        sources = {**plan.attributes, **(entry.attributes if entry else {})}
        attributes = {name: value for name, source in sources.items() if (value := _value(source, cells)) is not None}
        device = check(
            Device(
                device_id,
                plan.kind,
                (entry.name if entry else None) or cells[plan.device.column],
                plan.region,
                entry.district if entry else None,
                lat,
                lon,
                attributes,
            )
        )
        if not isinstance(device, Device):
            raise MapError(
                f"{path}, line {line}: device {device_id}: " + "; ".join(f"{e.field}: {e.message}" for e in device)
            )
        found[device_id] = device
    return list(found.values())


def slug(name: str) -> str:
    """A name as part of a device id: lower-case letters and digits, everything else one hyphen."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _cells(path: Path, plan: ReplayMap) -> Iterator[tuple[int, Cells | Refused]]:
    """Line number and stripped cells of every row."""
    encoding = "utf-8-sig" if plan.encoding == "utf-8" else plan.encoding
    try:
        file = path.open(encoding=encoding, newline="")
    except OSError as error:
        raise MapError(f"{path}: {error.strerror}") from None
    with file:
        reader = csv.DictReader(file, delimiter=plan.delimiter)
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        missing = sorted(plan.columns - set(header))
        if missing:
            raise MapError(f"{path}: no column {', '.join(missing)}; it has {', '.join(header)}")
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield reader.line_num, Refused(reader.line_num, f"is no CSV: {error}")
                continue
            if None in row or None in row.values():
                has = len(header) + len(row.pop(None, [])) - sum(v is None for v in row.values())
                yield reader.line_num, Refused(reader.line_num, f"{has} cells, the header has {len(header)}")
            else:
                yield reader.line_num, {name: text.strip() for name, text in row.items()}


def _device_id(name: str, known: dict[str, str], plan: ReplayMap) -> str | None:
    if name in known or plan.device.template is None:
        return known.get(name)
    made = plan.device.template.replace("{slug}", slug(name))
    return made if slug(name) and is_device_id(made) else None


def _time(text: str, form: str, zone: tzinfo) -> datetime:
    if form in EPOCHS:
        return datetime.fromtimestamp(float(text) * EPOCHS[form], UTC)
    ts = datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007
    return ts if ts.tzinfo is not None else ts.replace(tzinfo=zone)


def _degrees(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _value(source: Source, cells: Cells) -> Any:
    """An attribute's value: given in the map, or from a cell of the row; an empty cell is none."""
    return (cells[source.column] or None) if isinstance(source, TextColumn) else source
