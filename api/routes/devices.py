"""The registry of devices."""

from __future__ import annotations

import asyncio
import io
import json
from http import HTTPStatus
from operator import itemgetter
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api import context, csv_text, geojson, shapes
from api.auth import Endpoints
from api.csv_text import DialectOf, Sheet, cells, csv_reply, keyset
from api.formats import Fields, FormatOf, chosen, fields, only
from api.params import Cursor, KindFilter, Limit, limit_of, read_cursor, write_cursor
from api.places import Places
from api.problem_types import INVALID_REQUEST
from api.problems import Problem, not_found, wrong_field
from api.reply import encode, items_reply, reply
from devices.fleet_csv import Parsed, read_csv
from devices.topics import DEVICE_ID
from storage import fleet, read_devices

ENDPOINTS = Endpoints("/api/v1")
NAMES = tuple(shapes.Device.model_fields)
COLUMNS = (*NAMES[:-1], "alert_severity")
FORMS = {"responses": {"200": {"content": csv_text.CONTENT | geojson.CONTENT}}}
CSV_BODY = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}


@ENDPOINTS.get("/devices", role="viewer", answer=shapes.Devices, extra=FORMS)
async def list_devices(
    request: Request,
    place: Places,
    kind: KindFilter = None,
    min_severity: Annotated[int | None, Query(ge=0, le=3, description="of the worst open alert")] = None,
    told: Fields = None,
    form: FormatOf = None,
    dialect: DialectOf = "rfc4180",
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Devices in order of id, each with its worst open alert. CSV is whole unless limited."""
    here = context.of(request)
    form = chosen(request, form, has_places=True)
    names = fields(told, COLUMNS if form == "csv" else NAMES)
    size = limit_of(limit, here.settings.page_max)
    after = read_cursor(cursor, str)[0] if cursor else ""

    async def read(after: str, size: int) -> list[tuple[str, str]]:
        async with here.reads.connection() as conn:
            return await read_devices.list_devices(conn, kind, place, after, size, min_severity)

    if form == "csv":
        columns = names or COLUMNS
        pages = keyset(read, itemgetter(0), after, limit)
        rows_of = (cells((_flat(text) for _, text in page), columns) async for page in pages)
        return await csv_reply(request, "devices", Sheet(columns, dialect, here.settings.zone), rows_of)
    rows = await read(after, size + 1)
    more = write_cursor(rows[size - 1][0]) if len(rows) > size else None
    items = (text for _, text in rows[:size])
    if form == "geojson":
        return geojson.geojson_reply(request, items, _point, names, more)
    return items_reply(request, only(items, names), more)


@ENDPOINTS.get("/devices/{device_id}", role="viewer", answer=shapes.Device, problems=[HTTPStatus.NOT_FOUND])
async def show_device(request: Request, device_id: Annotated[str, Path(pattern=DEVICE_ID.pattern)]) -> Response:
    """One device."""
    async with context.of(request).reads.connection() as conn:
        text = await read_devices.one_device(conn, device_id)
    if text is None:
        raise not_found(f"device {device_id!r}")
    return reply(text)


@ENDPOINTS.post("/devices/import", role="engineer", answer=shapes.Imported, extra=CSV_BODY)
async def import_devices(
    request: Request,
    skip_bad: Annotated[bool, Query(description="register the good rows even if others are bad")] = False,
    correct: Annotated[bool, Query(description="what the file says has always been so")] = False,
) -> Response:
    """Register or update devices from a fleet file, all or nothing unless skip_bad. A panel or district that differs
    counts from now on, and what was before stays with the old one; with `correct` the registry was wrong, and the past
    is told by the file too. Repeating it changes nothing."""
    body = await request.body()
    if not body:
        raise wrong_field("body", "is empty; send the fleet file")
    parsed = await asyncio.to_thread(_parse, body)
    errors = [error._asdict() for error in parsed.errors]
    if errors and not skip_bad:
        first = parsed.errors[0]
        raise Problem(
            INVALID_REQUEST,
            f"nothing was registered; first of {len(errors)} errors: row {first.row}, {first.field}: {first.message}",
            errors,
        )
    async with context.of(request).writes.connection() as conn:
        try:
            done = await fleet.import_devices(conn, parsed.devices, correct)
        except fleet.KindChangeError as refused:
            raise wrong_field("kind", str(refused)) from None
    answer: dict[str, Any] = done._asdict()
    answer |= {"skipped": len({error.row for error in parsed.errors}), "errors": errors}
    return reply(encode(answer))


def _flat(text: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(text)
    return item | {"alert_severity": (item["alert"] or {}).get("severity")}


def _point(item: dict[str, Any]) -> geojson.Place | None:
    lon, lat = item["lon"], item["lat"]
    return None if lon is None or lat is None else (lon, lat)


def _parse(body: bytes) -> Parsed:
    if b"\0" in body:
        raise wrong_field("body", "has a NUL; send the fleet file as UTF-8 text")
    try:
        return read_csv(io.StringIO(body.decode("utf-8-sig"), newline=""))
    except UnicodeDecodeError as error:
        raise wrong_field("body", f"is not UTF-8 at byte {error.start}") from None
