"""The ledger of a device: what became of what it sent, what is missing, and how its clock runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from math import nan
from typing import Annotated, Any, cast, get_args

import psycopg
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api import context, csv_text, quarantine_shapes
from api.auth import Endpoints
from api.csv_text import Dialect, DialectOf, Sheet, cells, csv_reply, in_pages
from api.formats import Table, chosen
from api.params import DeviceId, DistrictFilter, From, KindFilter, Limit, To, Window, limit_of, window
from api.problems import not_found, wrong_field
from api.reply import encode, reply
from devices.completeness import HOUR, completeness, expected
from devices.device import Device
from devices.kind import Kind
from devices.kinds import KINDS
from storage import drift, fleet, quarantine_gaps, read_ledger
from storage.as_json import time_text
from storage.read_ledger import By, Line

ENDPOINTS = Endpoints("/api/v1")
DEFAULT_RANGE = timedelta(hours=24)
DRIFT_RANGE = timedelta(days=7)
FEW = 50

Groups = Annotated[
    str,
    Query(
        pattern=r"^(hour|kind|district)(,(hour|kind|district)){0,2}$",
        description="one line for each: hour, kind, district, or several of these with commas between",
    ),
]
Sender = Annotated[DeviceId, Query(description="of this device")]


@ENDPOINTS.get(
    "/ledger",
    role="viewer",
    answer=quarantine_shapes.Ledger,
    problems=[HTTPStatus.NOT_FOUND],
    extra=csv_text.ANSWER,
)
async def list_hours(
    request: Request,
    device: Sender,
    since: From = None,
    until: To = None,
    form: Table = None,
    dialect: DialectOf = "rfc4180",
) -> Response:
    """Every hour of the range, whole ones, oldest first, also those of silence. The last 24 by default."""
    here, now = context.of(request), context.utc_now()
    span = _range(request, since, until, now, DEFAULT_RANGE)
    span = _whole_hours(span)
    async with here.reads.connection() as conn:
        found, kind = await _device(conn, device)
        lines = {line.hour: line for line in await read_ledger.lines(conn, device, *span)}
        missing = await _missing(conn, kind, device, span)
        numbered = bool(missing) or await quarantine_gaps.numbered(conn, kind, device, *span)
    items = []
    for n in range(round((span.until - span.since) / HOUR)):
        hour = span.since + n * HOUR
        line = lines.get(hour) or Line(hour, 0, 0, 0, 0, 0)
        items.append(_item(found, kind, line, missing.get(hour, 0), numbered, now))
    if chosen(request, form) == "csv":
        return await _csv(request, f"{device}-ledger", tuple(quarantine_shapes.LedgerHour.model_fields), items, dialect)
    return reply(encode({"items": items}))


@ENDPOINTS.get("/ledger/summary", role="viewer", answer=quarantine_shapes.Summary, extra=csv_text.ANSWER)
async def show_summary(
    request: Request,
    by: Groups = "hour",
    kind: KindFilter = None,
    district: DistrictFilter = None,
    since: From = None,
    until: To = None,
    form: Table = None,
    dialect: DialectOf = "rfc4180",
) -> Response:
    """The ledger of the whole fleet, whole hours, the last 24 by default. `final`: only late data changes it."""
    here, now = context.of(request), context.utc_now()
    names = cast(list[By], list(dict.fromkeys(by.split(","))))
    most = here.settings.page_max
    span = _whole_hours(window(since, until, now, DEFAULT_RANGE))
    async with here.reads.connection() as conn:
        rows = await read_ledger.summary(conn, names, *span, kind, district, most + 1)
    if len(rows) > most:
        raise wrong_field("by", f"more than {most} lines (SIAGA_PAGE_MAX): ask for a shorter range or for less detail")
    items = [row | {"hour": time_text(row["hour"])} if "hour" in row else row for row in rows]
    if chosen(request, form) == "csv":
        counts = [name for name in quarantine_shapes.SummaryLine.model_fields if name not in get_args(By)]
        return await _csv(request, "ledger", [*names, *counts], items, dialect)
    return reply(encode({"items": items}))


@ENDPOINTS.get("/ledger/devices", role="viewer", answer=quarantine_shapes.LedgerDevices)
async def list_ledger_devices(request: Request, since: From = None, until: To = None, limit: Limit = None) -> Response:
    """Devices of which something is missing, in conflict or in quarantine; most first, whole hours, 24 by default."""
    here = context.of(request)
    span = _whole_hours(_range(request, since, until, context.utc_now(), DEFAULT_RANGE))
    async with here.reads.connection() as conn:
        rows = await read_ledger.devices(conn, *span, limit_of(limit, here.settings.page_max, FEW))
    return reply(encode({"items": rows}))


@ENDPOINTS.get(
    "/ledger/missing", role="viewer", answer=quarantine_shapes.MissingRanges, problems=[HTTPStatus.NOT_FOUND]
)  # fmt: skip
async def list_missing(request: Request, device: Sender, since: From = None, until: To = None) -> Response:
    """Ranges of missing numbers, ended by readings of the range (24 h by default), in the order of these."""
    span = _range(request, since, until, context.utc_now(), DEFAULT_RANGE)
    async with context.of(request).reads.connection() as conn:
        _, kind = await _device(conn, device)
        gaps = await quarantine_gaps.missing(conn, kind, device, *span)
    items = [
        gap._asdict() | {"count": gap.numbers, "after": time_text(gap.after), "until": time_text(gap.until)}
        for gap in gaps
    ]
    return reply(encode({"items": items}))


@ENDPOINTS.get("/ledger/drift", role="viewer", answer=quarantine_shapes.Drift, problems=[HTTPStatus.NOT_FOUND])
async def show_drift(request: Request, device: Sender, since: From = None, until: To = None) -> Response:
    """The clock of a device by its live readings of the range, 7 days by default."""
    span = _range(request, since, until, context.utc_now(), DRIFT_RANGE)
    here = context.of(request)
    async with here.reads.connection() as conn:
        _, kind = await _device(conn, device)
        found = drift.drift(await drift.hours(conn, kind, device, *span))
    offset_s = found.offset_s if found else None
    return reply(
        encode(
            {
                "device_id": device,
                "offset_s": offset_s,
                "drift_s_per_day": found.s_per_day if found else None,
                "n": found.n if found else 0,
                "flagged": offset_s is not None and abs(offset_s) > here.settings.clock_offset_max_s,
            }
        )
    )


async def _csv(
    request: Request, name: str, columns: Sequence[str], items: Sequence[dict[str, Any]], dialect: Dialect
) -> Response:
    rows = (cells(page, columns) async for page in in_pages(items))
    return await csv_reply(request, name, Sheet(columns, dialect, context.of(request).settings.zone), rows)


async def _missing(conn: psycopg.AsyncConnection[Any], kind: Kind, device: str, span: Window) -> dict[datetime, int]:
    """From raw readings; of hours before the first that is left, as it was counted when they were there."""
    counted = await read_ledger.counted_missing(conn, device, *span)
    first = await read_ledger.first_raw(conn, kind, device)
    missing = await quarantine_gaps.missing_by_hour(conn, kind, device, *span)
    return missing | {hour: number for hour, number in counted.items() if first is None or hour + HOUR <= first}


def _item(device: Device, kind: Kind, line: Line, missing: int, numbered: bool, now: datetime) -> dict[str, Any]:
    wanted = line.stored + missing
    if not wanted or not numbered:
        lat, lon = (nan if place is None else place for place in (device.lat, device.lon))
        wanted = expected(kind, line.hour, now, lat, lon)
    told = {"missing": missing, "expected": wanted, "completeness": completeness(line.stored, wanted)}
    return line._asdict() | {"hour": time_text(line.hour)} | told


def _range(request: Request, since: str | None, until: str | None, now: datetime, default: timedelta) -> Window:
    span = window(since, until, now, default)
    most = context.of(request).settings.ledger_days_max
    if span.until - span.since > timedelta(days=most):
        raise wrong_field("from", f"the range is longer than {most} days (SIAGA_LEDGER_DAYS_MAX)")
    return span


async def _device(conn: psycopg.AsyncConnection[Any], name: str) -> tuple[Device, Kind]:
    found = await fleet.get_device(conn, name)
    kind = KINDS.get(found.kind) if found else None
    if found is None or kind is None:
        raise not_found(f"device {name!r}")
    return found, kind


def _whole_hours(span: Window) -> Window:
    return Window(_hour(span.since), _hour(span.until + HOUR - timedelta(microseconds=1)))


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
