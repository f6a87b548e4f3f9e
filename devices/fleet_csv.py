"""The fleet file: `id,kind,name,region,district,lat,lon` and a column per attribute; all optional but the first two."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import IO, NamedTuple

from devices.device import Device, FieldError, check

COLUMNS = ("id", "kind", "name", "region", "district", "lat", "lon")


class RowError(NamedTuple):
    """row counts as a spreadsheet does: the header is row 1."""

    row: int
    field: str
    message: str


class Parsed(NamedTuple):
    devices: list[Device]
    errors: list[RowError]


def read_csv(file: IO[str]) -> Parsed:
    """Every good row as a device, every bad field of every bad row as an error. Empty cells count as absent."""
    reader = csv.DictReader(file, restkey="", skipinitialspace=True)
    header = reader.fieldnames or []
    missing = [name for name in COLUMNS[:2] if name not in header]
    if missing:
        return Parsed([], [RowError(1, name, "this column is missing from the header") for name in missing])
    devices: list[Device] = []
    errors: list[RowError] = []
    seen: dict[str, int] = {}
    for row in reader:
        number = reader.line_num
        result = _device(row)
        if isinstance(result, Device) and result.id in seen:
            result = [FieldError("id", f"{result.id!r} is already in row {seen[result.id]}")]
        if isinstance(result, Device):
            seen[result.id] = number
            devices.append(result)
        else:
            errors.extend(RowError(number, e.field, e.message) for e in result)
    return Parsed(devices, errors)


def write_csv(file: IO[str], devices: Iterable[Device]) -> None:
    """Write devices so that read_csv gives them back; attribute columns are the union of all kinds'."""
    listed = list(devices)
    names = list(dict.fromkeys(name for device in listed for name in device.attributes))
    writer = csv.DictWriter(file, [*COLUMNS, *names], lineterminator="\n")
    writer.writeheader()
    for d in listed:
        own = {name: getattr(d, name) for name in COLUMNS}
        writer.writerow({k: "" if v is None else v for k, v in {**own, **d.attributes}.items()})


def _device(row: dict[str, str | list[str] | None]) -> Device | list[FieldError]:
    if "" in row:
        return [FieldError("row", "more cells than the header has columns")]
    cells = {name: text.strip() for name, text in row.items() if isinstance(text, str) and text.strip()}
    place: dict[str, float | None] = {}
    for name in ("lat", "lon"):
        try:
            place[name] = float(cells[name]) if name in cells else None
        except ValueError:
            return [FieldError(name, f"{cells[name]!r} is no number; write degrees with a decimal point")]
    return check(
        Device(
            id=cells.get("id", ""),
            kind=cells.get("kind", ""),
            name=cells.get("name"),
            region=cells.get("region"),
            district=cells.get("district"),
            lat=place["lat"],
            lon=place["lon"],
            attributes={name: text for name, text in cells.items() if name not in COLUMNS},
        )
    )
