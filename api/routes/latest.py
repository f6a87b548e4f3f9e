"""The newest reading of every device, now or at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import psycopg
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api import context, csv_text, geojson, shapes
from api.auth import Endpoints
from api.context import Context
from api.csv_text import DialectOf, Sheet, cells, csv_reply, keyset
from api.formats import Fields, FormatOf, chosen, fields, only
from api.latest_item import latest_item
from api.params import (
    Cursor,
    DeviceId,
    KindFilter,
    Limit,
    Moment,
    limit_of,
    moment,
    read_cursor,
    write_cursor,
)  # fmt: skip
from api.places import Places
from api.problems import wrong_field
from api.reply import items_reply
from devices.kinds import KINDS
from storage import read_at, read_devices, read_latest
from storage.as_json import time_text
from storage.place import Place
from storage.read_latest import Latest

ENDPOINTS = Endpoints("/api/v1")
NAMES = tuple(shapes.LatestReading.model_fields)
FORMS = {"responses": {"200": {"content": csv_text.CONTENT | geojson.CONTENT}}}


class Asked(NamedTuple):
    """Which devices, and when: `at` None is now; since: only readings of that time or later."""

    kind: str | None
    place: Place
    device: str | None
    at: datetime | None
    since: datetime | None


class Page(NamedTuple):
    found: list[Latest]
    rates: dict[str, float]


@ENDPOINTS.get("/latest", role="viewer", answer=shapes.Latest, extra=FORMS)
async def list_latest(
    request: Request,
    place: Places,
    kind: KindFilter = None,
    device: Annotated[DeviceId | None, Query(description="only this device")] = None,
    since: Annotated[Moment | None, Query(description="only readings of this time or later")] = None,
    at: Annotated[Moment | None, Query(description="as of this time instead of now")] = None,
    told: Fields = None,
    form: FormatOf = None,
    dialect: DialectOf = "rfc4180",
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Newest readings in order of device id; river gauges with their siaga level and rate of rise. CSV is whole unless
    limited, with a column for each metric."""
    here, now = context.of(request), context.utc_now()
    form = chosen(request, form, has_places=True)
    columns = _columns(kind)
    names = fields(told, columns if form == "csv" else NAMES)
    size = limit_of(limit, here.settings.latest_max, setting="SIAGA_LATEST_MAX")
    after = read_cursor(cursor, str)[0] if cursor else ""
    then = None if at is None else moment("at", at, now)
    asked = Asked(kind, place, device, then, None if since is None else moment("since", since, now))
    if form == "csv":
        shown = names or columns

        async def read(after: str, size: int) -> list[Latest]:
            page = await _read(here, asked, now, after, size)
            rates.update(page.rates)
            return page.found

        rates: dict[str, float] = {}
        pages = keyset(read, attrgetter("device_id"), after, limit)
        rows = (cells(map(_flat, _items(found, rates)), shown) async for found in pages)
        return await csv_reply(request, "latest", Sheet(shown, dialect, here.settings.zone), rows)
    page = await _read(here, asked, now, after, size + 1)
    more = write_cursor(page.found[size - 1].device_id) if len(page.found) > size else None
    items = _items(page.found[:size], page.rates)
    if form == "geojson":
        async with here.reads.connection() as conn:
            points = await read_devices.points(conn, [each.device_id for each in page.found])
        return await asyncio.to_thread(
            geojson.geojson_reply, request, items, lambda item: points.get(item["device_id"]), names, more
        )
    # 10,000 items are some 20 ms of text: not on the loop that serves everybody.
    return await asyncio.to_thread(lambda: items_reply(request, only(items, names), more))


def _items(found: Iterable[Latest], rates: Mapping[str, float]) -> Iterable[str]:
    return (latest_item(each, rates.get(each.device_id)) for each in found)


async def _read(here: Context, asked: Asked, now: datetime, after: str, size: int) -> Page:
    async with here.reads.connection() as conn:
        if asked.at is None:
            found = await read_latest.list_latest(conn, asked.kind, asked.place, asked.device, after, size, asked.since)
        else:
            back = timedelta(days=here.settings.latest_back_days)
            found = await _as_of(conn, asked, asked.at, asked.at - back, after, size)
        return Page(found, await read_latest.rates(conn, found, asked.at or now))


async def _as_of(
    conn: psycopg.AsyncConnection[Any], asked: Asked, then: datetime, earliest: datetime, after: str, limit: int
) -> list[Latest]:
    kinds = [KINDS[asked.kind]] if asked.kind else list(KINDS.values())
    if gone := await read_at.closed_after(conn, kinds, then):
        told = ", ".join(f"{name} from {time_text(until)} on" for name, until in sorted(gone.items()))
        raise wrong_field(
            "at", f"readings of {time_text(then)} have been dropped (there are: {told}); /metrics has aggregates of it"
        )
    if asked.since is not None:  # the smallest step before: the walk begins after it
        earliest = max(earliest, asked.since - timedelta(microseconds=1))
    return await read_at.list_latest(
        conn, kinds, read_at.Moment(then, earliest), asked.place, asked.device, after, limit
    )


def _columns(kind: str | None) -> list[str]:
    """Of a file: the members of an item, and instead of `values` the metrics of the kind, or of all."""
    of = [KINDS[kind]] if kind else KINDS.values()
    metrics = dict.fromkeys(name for each in of for name in each.numbers)
    at = NAMES.index("values")
    return [*NAMES[:at], *metrics, *NAMES[at + 1 :]]


def _flat(text: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(text)
    values: dict[str, Any] = item.pop("values")
    return values | item
