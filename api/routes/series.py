"""Curves: a device's metrics over any range, in as many points as a screen has."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple

import psycopg
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api import context, metrics_query, shapes
from api.auth import Endpoints
from api.downsample import Method, draw
from api.params import From, To, Window, window
from api.problems import not_found, wrong_field
from api.reply import encode, items_reply
from devices.completeness import BY_DAY_S
from devices.kind import Kind
from devices.kinds import KINDS
from storage import fleet, read_series
from storage.kind_tables import Level
from storage.read_series import Rows
from storage.series import STEPS, sources

ENDPOINTS = Endpoints("/api/v1")
DEFAULT_RANGE = timedelta(hours=24)
POINTS_MIN = 20
# Some devices send more often than their kind is expected to; of more rows than this times as many, the next rollup.
SPARE = 4
# So many intervals without a reading are a gap.
GAP_INTERVALS = 3


class Found(NamedTuple):
    device_id: str
    kind: Kind
    source: Level
    rows: Rows


@ENDPOINTS.get("/series", role="viewer", answer=shapes.SeriesList, problems=[HTTPStatus.NOT_FOUND])
async def list_series(
    request: Request,
    device: Annotated[str, Query(description="ids, separated by commas")],
    metric: Annotated[
        str | None, Query(description="names, separated by commas; the primary one when left out")
    ] = None,
    since: From = None,
    until: To = None,
    points: Annotated[int, Query(ge=POINTS_MIN, description="of each curve at most")] = 500,
    method: Annotated[Method, Query(description="lttb keeps the shape, minmax the extremes")] = "lttb",
    good: Annotated[bool, Query(description="leave out readings that are suspect or failed (qc 3 and 4)")] = False,
) -> Response:
    """Curves of the last 24 h, or of from <= t < to: readings where they are few, else averages with min and max."""
    here = context.of(request)
    span = window(since, until, context.utc_now(), DEFAULT_RANGE)
    ids = metrics_query.device_ids(device) or []
    async with here.reads.connection() as conn:
        asked = {name: await _metrics(conn, name, metric) for name in ids}
        number, most = points * sum(len(metrics) for _, metrics in asked.values()), here.settings.series_points_max
        if number > most:
            raise wrong_field(
                "points", f"{number} of all curves are more than {most} (SIAGA_SERIES_POINTS_MAX); ask for fewer"
            )
        rows_max = here.settings.series_rows_max // len(ids)
        found = [
            await _read(conn, name, kind, metrics, span, points, rows_max, good)
            for name, (kind, metrics) in asked.items()
        ]
    items = await asyncio.to_thread(lambda: [text for each in found for text in _items(each, points, method)])
    return items_reply(request, items)


async def _metrics(conn: psycopg.AsyncConnection[Any], device_id: str, metric: str | None) -> tuple[Kind, list[str]]:
    device = await fleet.get_device(conn, device_id)
    kind = KINDS.get(device.kind) if device else None
    if kind is None:
        raise not_found(f"device {device_id!r}")
    return kind, [kind.primary] if metric is None else metrics_query.metrics(kind, metric)


async def _read(
    conn: psycopg.AsyncConnection[Any],
    device_id: str,
    kind: Kind,
    metrics: list[str],
    span: Window,
    points: int,
    rows_max: int,
    good: bool,
) -> Found:
    closed = await read_series.closed(conn, kind)
    possible = sources(timedelta(seconds=kind.interval_s), *span, points, rows_max, closed)
    for source in possible:
        limit = None if source == possible[-1] else SPARE * rows_max
        rows = await read_series.read(conn, kind, source, device_id, metrics, *span, good, limit)
        if rows is not None:
            return Found(device_id, kind, source, rows)
    raise AssertionError("the last source has no limit")


def _items(found: Found, points: int, method: Method) -> list[str]:
    """One JSON text a metric."""
    step_s = STEPS[found.source].total_seconds()
    gap_ms = GAP_INTERVALS * 1000 * max(found.kind.interval_s, BY_DAY_S.get(found.kind.name, 0), step_s)
    texts = []
    for metric, curve in found.rows.curves.items():
        drawn = draw(found.rows.at_ms, found.rows.qc, curve, points, gap_ms, method)
        every = found.source == "raw" and not drawn.left_out
        texts.append(
            encode(
                {
                    "device_id": found.device_id,
                    "metric": metric,
                    "source": found.source,
                    "step_s": step_s or None,
                    "t": drawn.t,
                    "v": drawn.v,
                    "min": None if every else drawn.low,
                    "max": None if every else drawn.high,
                    "qc": drawn.qc,
                }
            )
        )
    return texts
