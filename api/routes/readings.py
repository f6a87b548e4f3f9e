"""Readings of one device or of many of a kind, as JSON pages or as one CSV file of any length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from alerts import ladder
from api import context, csv_text, shapes
from api.auth import Endpoints
from api.context import Pool
from api.csv_text import DialectOf, Sheet, csv_reply, keyset
from api.formats import Fields, Table, chosen, fields
from api.params import (
    Cursor,
    DeviceId,
    From,
    KindFilter,
    Limit,
    To,
    cursor_time,
    limit_of,
    read_cursor,
    window,
    write_cursor,
)  # fmt: skip
from api.places import Places
from api.problems import not_found, wrong_field
from api.reply import encode, items_reply
from devices.kind import Kind
from devices.kinds import KINDS
from devices.quality import Quality
from storage import fleet, read_devices, read_many, read_readings
from storage.as_json import time_text
from storage.place import Place
from storage.read_many import After, Asked, Found

ENDPOINTS = Endpoints("/api/v1")
DEFAULT_RANGE = timedelta(hours=24)
DEFAULT_LIMIT = 1000
UNUSABLE = (Quality.FAIL, Quality.MISSING)


class Chosen(NamedTuple):
    """Whose readings: a kind and of its devices the attributes by id; name: of the file."""

    kind: Kind
    devices: Mapping[str, Mapping[str, Any]]
    name: str


@ENDPOINTS.get(
    "/readings", role="viewer", answer=shapes.Readings, problems=[HTTPStatus.NOT_FOUND], extra=csv_text.ANSWER
)  # fmt: skip
async def list_readings(
    request: Request,
    place: Places,
    device: Annotated[DeviceId | None, Query(description="of this device")] = None,
    kind: KindFilter = None,
    since: From = None,
    until: To = None,
    told: Fields = None,
    form: Table = None,
    dialect: DialectOf = "rfc4180",
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Readings of a device, or of all of a kind at a place: of the last 24 h, or of from <= ts < to; by device, oldest
    first. JSON comes in pages, CSV whole unless limited."""
    here = context.of(request)
    size = limit_of(limit, here.settings.page_max, DEFAULT_LIMIT)
    span = window(since, until, context.utc_now(), DEFAULT_RANGE)
    after = _after(cursor) if cursor else After("", None)
    of = await _chosen(here.reads, device, kind, place)
    known = ("device_id", *read_readings.columns(of.kind), "siaga")
    names = fields(told, known) or list(known)
    asked = Asked(of.kind, sorted(of.devices), [name for name in names if name not in ("device_id", "siaga")], *span)
    if chosen(request, form) == "csv":
        pages = keyset(partial(_read, here.reads, asked, False), attrgetter("place"), after, limit)
        rows = (_rows(page, names, of.devices) async for page in pages)
        return await csv_reply(request, of.name, Sheet(names, dialect, here.settings.zone), rows)
    found = await _read(here.reads, asked, True, after, size + 1)
    more = write_cursor(found[size - 1].device_id, time_text(found[size - 1].ts)) if len(found) > size else None
    return items_reply(request, _items(found[:size], names, of.devices), more)


async def _chosen(reads: Pool, device: str | None, kind: str | None, place: Place) -> Chosen:
    """Raises 404 and 422."""
    async with reads.connection() as conn:
        if device is None:
            if kind is None:
                raise wrong_field("device", "is required, or a kind for all of its devices")
            return Chosen(KINDS[kind], await read_devices.members(conn, kind, place), kind)
        if place != Place() or kind is not None:
            raise wrong_field("device", "is one already; leave it out to choose by kind and place")
        found = await fleet.get_device(conn, device)
    if found is None or found.kind not in KINDS:
        raise not_found(f"device {device!r}")
    return Chosen(KINDS[found.kind], {found.id: found.attributes}, found.id)


async def _read(reads: Pool, asked: Asked, as_json: bool, after: After, size: int) -> list[Found]:
    async with reads.connection() as conn:
        return await read_many.page(conn, asked, after, size, as_json)


def _items(found: Iterable[Found], names: Sequence[str], devices: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    has_id, has_siaga = "device_id" in names, "siaga" in names
    for row in found:
        parts = [f'"device_id":{encode(row.device_id)}'] if has_id else []
        parts += [row.content[1:-1]] if row.content != '{"none":null}' else []
        parts += [f'"siaga":{_siaga(row, devices) or "null"}'] if has_siaga else []
        yield f"{{{','.join(parts)}}}"


def _rows(
    found: Iterable[Found], names: Sequence[str], devices: Mapping[str, Mapping[str, Any]]
) -> Iterable[Sequence[Any]]:
    """Cells in order of the names, which begin with the device and end with siaga where they have them."""
    has_id, has_siaga = "device_id" in names, "siaga" in names
    for row in found:
        content = row.content if len(names) > has_id + has_siaga else ()
        yield (*((row.device_id,) * has_id), *content, *((_siaga(row, devices),) * has_siaga))


def _siaga(row: Found, devices: Mapping[str, Mapping[str, Any]]) -> int | None:
    """The official digit, by the level alone."""
    if row.level_m is None or row.qc in UNUSABLE:
        return None
    return ladder.siaga(row.level_m, devices[row.device_id])


def _after(cursor: str) -> After:
    device, ts = read_cursor(cursor, str, str)
    return After(device, cursor_time(ts))
