"""Aggregates over time, from the rollups."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api import buckets, context, shapes
from api.auth import Endpoints
from api.buckets import Bucket
from api.params import From, KindName, To, window
from api.problems import not_found, wrong_field
from api.reply import encode, items_reply
from devices.kind import Kind
from devices.kinds import KINDS
from devices.topics import is_device_id
from storage import read_devices, read_metrics
from storage.as_json import time_text
from storage.read_metrics import AGGREGATES, EXPRESSIONS, Row

ENDPOINTS = Endpoints("/api/v1")
DEFAULT_RANGE = timedelta(hours=24)
# What holds on into a gap. A sum or a difference of a bucket without readings is not known.
HOLDS = ("avg", "min", "max", "last")
Fill = Literal["none", "null", "previous"]


@ENDPOINTS.get("/metrics/{kind}", role="viewer", answer=shapes.Buckets, problems=[HTTPStatus.NOT_FOUND])
async def list_metrics(
    request: Request,
    kind: Annotated[KindName, Path()],
    device: Annotated[str | None, Query(description="ids, separated by commas; all of the kind when left out")] = None,
    metric: Annotated[str | None, Query(description="names, separated by commas; all when left out")] = None,
    since: From = None,
    until: To = None,
    bucket: Annotated[buckets.Name, Query(description="length of a bucket")] = "1h",
    tz: Annotated[str | None, Query(description="IANA zone of days and months", max_length=64)] = None,
    agg: Annotated[
        str | None,
        Query(description=f"of {', '.join(EXPRESSIONS)}, separated by commas; all a metric has when left out"),
    ] = None,
    fill: Annotated[Fill, Query(description="buckets without readings: left out, null, or the last values")] = "none",
) -> Response:
    """Aggregates per device and bucket of the last 24 h, or of from <= t < to; labelled by the start of the bucket."""
    here = context.of(request)
    declared = KINDS[kind]
    wanted = _wanted(declared, metric, agg)
    home = here.settings.zone
    zone = _zone(tz) if tz is not None else home
    now = context.utc_now()
    span = window(since, until, now, DEFAULT_RANGE)
    asked = _names("device", device)
    if asked is not None and (wrong := [name for name in asked if not is_device_id(name)]):
        raise wrong_field("device", f"{wrong[0]!r} is no device id")
    async with here.pool.connection() as conn:
        devices = await read_devices.ids_of_kind(conn, kind, asked)
        if asked is not None and (unknown := sorted(set(asked) - set(devices))):
            raise not_found(f"device {', '.join(map(repr, unknown[:10]))} of kind {kind}")
        number = len(devices) * buckets.at_most(bucket, span._replace(until=min(span.until, max(now, span.since))))
        most = here.settings.metrics_max
        if number > most:
            raise wrong_field(
                "bucket",
                f"up to {number} buckets ({len(devices)} devices) are more than {most} (SIAGA_METRICS_MAX);"
                " take larger buckets, a shorter time or fewer devices",
            )
        plan = buckets.plan(bucket, span, now, zone, home)
        starts = [b.start for b in plan.buckets]
        rows = await read_metrics.aggregate(conn, declared, devices, wanted, plan.slices, starts) if starts else []
    # 100,000 buckets take a good part of a second: not on the loop that serves everybody.
    items = await asyncio.to_thread(_items, rows, devices, plan.buckets, wanted, fill)
    return items_reply(request, items)


def _names(field: str, text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise wrong_field(field, "is empty; leave it out for all")
    return names


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise wrong_field("tz", f"unknown time zone {name!r}; use an IANA name such as Asia/Jakarta") from None


def _wanted(kind: Kind, metric: str | None, agg: str | None) -> dict[str, list[str]]:
    """Which aggregates of which metrics. Whatever was named must lead to something."""
    names = _names("metric", metric)
    asked = _names("agg", agg)
    for name in names or ():
        if name not in kind.metrics:
            raise wrong_field("metric", f"{name!r} is not one of {kind.name}'s: {', '.join(kind.metrics)}")
    for name in asked or ():
        if name not in EXPRESSIONS:
            raise wrong_field("agg", f"{name!r} is not one of {', '.join(EXPRESSIONS)}")
    wanted = {}
    for name in names or kind.metrics:
        possible = AGGREGATES[kind.metrics[name].rollup]
        chosen = [each for each in possible if asked is None or each in asked]
        if chosen:
            wanted[name] = chosen
        elif names is not None:
            raise wrong_field("agg", f"{name} has {', '.join(possible)}, not {agg}")
    used = {each for chosen in wanted.values() for each in chosen}
    if asked is not None and (useless := [each for each in asked if each not in used]):
        raise wrong_field("agg", f"none of the metrics asked for has {', '.join(useless)}")
    return wanted


def _items(
    rows: Sequence[Row], devices: Sequence[str], found: Sequence[Bucket], wanted: dict[str, list[str]], fill: Fill
) -> list[str]:
    ends = [f'"bucket":"{time_text(b.start)}","partial":{encode(b.partial)},' for b in found]
    if fill == "none":
        return [f'{{"device_id":"{row.device_id}",{ends[row.bucket - 1]}{row.content[1:]}' for row in rows]
    there = {(row.device_id, row.bucket): row.content for row in rows}
    empty = encode({"n": 0, "good": 0} | {name: dict.fromkeys(names) for name, names in wanted.items()})
    return list(_filled(there, devices, ends, empty, fill))


def _filled(
    there: dict[tuple[str, int], str], devices: Sequence[str], ends: Sequence[str], empty: str, fill: Fill
) -> Iterator[str]:
    for device in devices:
        gap = empty
        for number, end in enumerate(ends, 1):
            content = there.get((device, number))
            if content is not None and fill == "previous":
                gap = _held(content)
            yield f'{{"device_id":"{device}",{end}{(content or gap)[1:]}'


def _held(content: str) -> str:
    """The content of a bucket without readings that follows this one."""
    values: dict[str, Any] = json.loads(content)
    for name, value in values.items():
        values[name] = {k: v if k in HOLDS else None for k, v in value.items()} if isinstance(value, dict) else 0
    return encode(values)
