"""The fleet file: `id,kind,name,region,district,lat,lon` and a column per attribute; all optional but the first two."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO, NamedTuple

from devices.device import Device, FieldError, check

COLUMNS = ("id", "kind", "name", "region", "district", "lat", "lon")
BYTE_ORDER_MARK = "\ufeff"


class RowError(NamedTuple):
    """row counts as a spreadsheet does: the header is row 1, an empty line is a row, a line feed in quotes is none."""

    row: int
    field: str
    message: str


class Parsed(NamedTuple):
    devices: list[Device]
    errors: list[RowError]


def read_csv(file: IO[str]) -> Parsed:
    """Every good row as a device, every bad field of every bad row as an error. Empty cells count as absent.

    Open the file with newline="". An id counts once: the rows after its first are errors, whatever the first was.
    """
    numbered = _rows(file)
    _, first = next(numbered, (1, []))
    if isinstance(first, RowError):
        return Parsed([], [first])
    header = [name.removeprefix(BYTE_ORDER_MARK).strip() for name in first]
    wrong = _header_errors(header)
    if wrong:
        return Parsed([], wrong)
    devices: list[Device] = []
    errors: list[RowError] = []
    seen: dict[str, int] = {}
    for number, row in numbered:
        if isinstance(row, RowError):
            errors.append(row)
            continue
        if not any(row):
            continue
        device, found = _device(header, row)
        if device.id in seen:
            found = [*found, FieldError("id", f"{device.id!r} is already in row {seen[device.id]}")]
        elif device.id:
            seen[device.id] = number
        if found:
            errors.extend(RowError(number, e.field, e.message) for e in found)
        else:
            devices.append(device)
    return Parsed(devices, errors)


def write_csv(file: IO[str], devices: Iterable[Device]) -> None:
    """Write devices so that read_csv gives them back; attribute columns are the union of all kinds'."""
    listed = list(devices)
    names = list(dict.fromkeys(name for device in listed for name in device.attributes))
    writer = csv.writer(file, lineterminator="\n")
    quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow([*COLUMNS, *names])
    for d in listed:
        own = {name: getattr(d, name) for name in COLUMNS}
        values = {**own, **d.attributes}
        cells = ["" if values.get(name) is None else str(values[name]) for name in (*COLUMNS, *names)]
        # Before Python 3.13 the csv module leaves a lone carriage return unquoted, which no reader takes.
        (quoting if any("\r" in cell for cell in cells) else writer).writerow(cells)


def _rows(file: IO[str]) -> Iterator[tuple[int, list[str] | RowError]]:
    """Number and stripped cells of every row; a row that is no CSV comes as its error."""
    reader = csv.reader(file, skipinitialspace=True)
    number = 0
    while True:
        number += 1
        try:
            yield number, [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield number, RowError(number, "row", f"is no CSV: {error}")


def _header_errors(header: Sequence[str]) -> list[RowError]:
    if len(header) == 1 and ";" in header[0]:
        return [RowError(1, "row", "columns are separated by semicolons; save the file with commas")]
    missing = [name for name in COLUMNS[:2] if name not in header]
    twice = dict.fromkeys(name for name in header if name and header.count(name) > 1)
    return [
        *(RowError(1, name, "this column is missing from the header") for name in missing),
        *(RowError(1, name, "this column is in the header twice") for name in twice),
    ]


def _device(header: Sequence[str], row: Sequence[str]) -> tuple[Device, list[FieldError]]:
    """The device of a row, as checked where it is right, and everything that is wrong with it."""
    errors: list[FieldError] = []
    beyond = [cell for cell, name in zip(row, [*header, *[""] * len(row)], strict=False) if cell and not name]
    if beyond:
        errors.append(FieldError("row", f"has a cell {beyond[0]!r} under no column; the header has {len(header)}"))
    cells = {name: text for name, text in zip(header, row, strict=False) if name and text}
    place: dict[str, float | None] = {}
    for name in ("lat", "lon"):
        try:
            place[name] = float(cells[name]) if name in cells else None
        except ValueError:
            errors.append(FieldError(name, f"{cells[name]!r} is no number; write degrees with a decimal point"))
    device = Device(
        id=cells.get("id", ""),
        kind=cells.get("kind", ""),
        name=cells.get("name"),
        region=cells.get("region"),
        district=cells.get("district"),
        lat=place.get("lat"),
        lon=place.get("lon"),
        attributes={name: text for name, text in cells.items() if name not in COLUMNS},
    )
    # Where one coordinate could not be read, that the other stands alone is no second error.
    checked = check(device if len(place) == 2 else replace(device, lat=None, lon=None))
    if isinstance(checked, Device):
        return (device if errors else checked), errors
    return device, [*errors, *checked]
