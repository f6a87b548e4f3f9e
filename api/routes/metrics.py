"""Aggregates over time, from the rollups: of each device, or of devices taken together."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api import buckets, context, cost, csv_text, metrics_items, metrics_query, shapes
from api.auth import Endpoints
from api.buckets import Plan
from api.context import Context
from api.csv_text import DialectOf, Sheet, csv_reply, in_pages
from api.formats import Table, chosen
from api.metrics_items import Fill, Series
from api.metrics_query import Wanted
from api.params import DistrictFilter, From, KindName, To, Window, window
from api.problem_types import BUSY
from api.problems import Problem, not_found, wrong_field
from api.reply import items_reply
from devices.kind import Kind
from devices.kinds import KINDS
from storage import read_devices, read_groups, read_metrics
from storage.read_groups import Asked, Steps
from storage.read_metrics import EXPRESSIONS

ENDPOINTS = Endpoints("/api/v1")
DEFAULT_RANGE = timedelta(hours=24)
GROUP_FILTERS = sorted({name for kind in KINDS.values() for name in kind.group_by})
PARAMETERS = {
    "parameters": [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": metrics_query.VALUE_MAX},
            "description": f"only devices of this {name}, where the kind has it",
        }
        for name in GROUP_FILTERS
    ]
}


class Times(NamedTuple):
    """The range of an answer and how it is cut into buckets; home is the zone of the rollups by day."""

    span: Window
    bucket: buckets.Name
    zone: ZoneInfo
    home: ZoneInfo
    now: datetime

    def at_most(self) -> int:
        return buckets.at_most(
            self.bucket, self.span._replace(until=min(self.span.until, max(self.now, self.span.since)))
        )

    def plan(self) -> Plan:
        return buckets.plan(self.bucket, self.span, self.now, self.zone, self.home)


@ENDPOINTS.get(
    "/metrics/{kind}",
    role="viewer",
    answer=shapes.Buckets,
    problems=[HTTPStatus.NOT_FOUND],
    extra=PARAMETERS | csv_text.ANSWER,
)
async def list_metrics(
    request: Request,
    kind: Annotated[KindName, Path()],
    device: Annotated[str | None, Query(description="ids, separated by commas; all of the kind when left out")] = None,
    group: Annotated[
        str, Query(description="device, or devices taken together: all, district or what /kinds lists", max_length=64)
    ] = "device",
    district: DistrictFilter = None,
    metric: Annotated[str | None, Query(description="names, separated by commas; all when left out")] = None,
    since: From = None,
    until: To = None,
    bucket: Annotated[buckets.Name, Query(description="length of a bucket")] = "1h",
    tz: Annotated[str | None, Query(description="IANA zone of days and months", max_length=64)] = None,
    agg: Annotated[
        str | None,
        Query(
            description=f"of {', '.join(EXPRESSIONS)}, total (of groups) and count (n and good alone), separated by"
            " commas; all a metric has when left out"
        ),
    ] = None,
    fill: Annotated[Fill, Query(description="buckets without readings: left out, null, or the last values")] = "none",
    form: Table = None,
    dialect: DialectOf = "rfc4180",
) -> Response:
    """Aggregates per device or group and bucket of the last 24 h, or of from <= t < to; labelled by their start."""
    here, now = context.of(request), context.utc_now()
    declared = KINDS[kind]
    grouping = metrics_query.grouping(declared, group)
    wanted = metrics_query.wanted(declared, metric, agg, grouping is not None)
    where = metrics_query.where(declared, district, request.query_params)
    home = here.settings.zone
    zone = metrics_query.zone(tz) if tz is not None else home
    times = Times(window(since, until, now, DEFAULT_RANGE), bucket, zone, home, now)
    asked = metrics_query.device_ids(device)
    async with here.reads.connection() as conn:
        devices = await read_devices.ids_of_kind(conn, kind, asked, where)
        if asked is not None and (unknown := sorted(set(asked) - set(devices))):
            of = "".join(f", {name} {value}" for name, value in where.items())
            raise not_found(f"device {', '.join(map(repr, unknown[:10]))} of kind {kind}{of}")
        if grouping is None:
            plan, series = await _of_devices(here, conn, declared, devices, wanted, times)
        else:
            question = Asked(grouping, where, asked, wanted)
            plan, series = await _of_groups(here, conn, declared, question, times)
    # 100,000 buckets take a good part of a second: not on the loop that serves everybody.
    items = await asyncio.to_thread(metrics_items.items, series, plan.buckets, wanted, fill)
    if chosen(request, form) == "csv":
        columns = metrics_items.columns(series, wanted, "device_id" if grouping is None else "group")
        rows = (metrics_items.rows(page, columns) async for page in in_pages(items))
        return await csv_reply(request, kind, Sheet(columns, dialect, home), rows)
    return items_reply(request, items)


async def _of_devices(
    here: Context, conn: psycopg.AsyncConnection[Any], kind: Kind, devices: list[str], wanted: Wanted, times: Times
) -> tuple[Plan, Series]:
    _check_buckets(here, len(devices), times, "devices")
    plan = times.plan()
    _check_rows(here, cost.rollup_rows(kind, len(devices), plan.slices))
    rows = await read_metrics.aggregate(conn, kind, devices, wanted, plan.slices, plan.starts) if plan.buckets else []
    return plan, metrics_items.of_devices(rows, devices)


async def _of_groups(
    here: Context, conn: psycopg.AsyncConnection[Any], kind: Kind, asked: Asked, times: Times
) -> tuple[Plan, Series]:
    size = await read_groups.size(conn, kind, asked, *times.span)
    _check_buckets(here, size.groups, times, "groups")
    plan = times.plan()
    if not plan.buckets:
        return plan, metrics_items.of_groups([])
    steps = Steps(plan.slices, plan.steps, plan.starts, "1d" if times.bucket == "1mo" else times.bucket)
    if steps.kept() and asked.kept_as():
        rows = cost.rollup_rows(kind, size.devices, plan.slices[1:]) + size.devices * size.marked
        if size.marked > 1 and rows > here.settings.query_rows_max:
            _wait(size.marked)
    else:
        rows = cost.rollup_rows(kind, size.devices, plan.slices)
    _check_rows(here, rows)
    return plan, metrics_items.of_groups(await read_groups.aggregate(conn, kind, asked, steps, size.marked))


def _check_buckets(here: Context, series: int, times: Times, what: str) -> None:
    number, most = series * times.at_most(), here.settings.metrics_max
    if number > most:
        raise wrong_field(
            "bucket",
            f"up to {number} buckets ({series} {what}) are more than {most} (SIAGA_METRICS_MAX);"
            f" take larger buckets, a shorter time or fewer {what}",
        )


def _check_rows(here: Context, rows: int) -> None:
    most = here.settings.query_rows_max
    if rows > most:
        raise wrong_field(
            "bucket",
            f"about {rows} rollup rows would have to be read, more than {most} (SIAGA_QUERY_ROWS_MAX); take a shorter"
            " time or fewer devices, or 1d or 1mo in the zone of the installation",
        )


def _wait(days: int) -> None:
    raise Problem(
        BUSY,
        f"{days} days are being added up again, as devices have moved to other groups; try again in a minute",
    )
