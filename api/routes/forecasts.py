"""When gauges are expected at which siaga level, and how good such forecasts were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from alerts.forecast_words import level_text, refused_text, upstream_text
from api import context, forecast_shapes
from api.auth import Endpoints
from api.params import Cursor, DeviceId, From, Limit, To, cursor_time, limit_of, read_cursor, window, write_cursor
from api.reply import encode, items_reply, reply
from devices.kind import Label
from storage import read_forecasts
from storage.as_json import time_text
from storage.read_forecasts import AT_LEAST, Asked, AskedPast, Row

ENDPOINTS = Endpoints("/api/v1")
# A gauge that has not been heard for longer may stand anywhere.
FRESH = timedelta(minutes=90)
SCORED = timedelta(days=30)

OfGauge = Annotated[DeviceId | None, Query(description="only of this gauge")]


@ENDPOINTS.get("/forecasts", role="viewer", answer=forecast_shapes.Forecasts)
async def list_forecasts(
    request: Request,
    device: OfGauge = None,
    active: Annotated[bool, Query(description="only what holds; false: the newest of each gauge, however old")] = True,
    refused: Annotated[bool, Query(description="also gauges of which nothing can be said, with the reason")] = False,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """The newest forecast of each gauge that is expected at a worse level, in order of their ids."""
    here, now = context.of(request), context.utc_now()
    size = limit_of(limit, here.settings.page_max)
    after = read_cursor(cursor, str)[0] if cursor else ""
    async with here.reads.connection() as conn:
        gauges = await read_forecasts.gauges(conn, Asked(device, active, refused, now - FRESH, after, size + 1))
        levels = await read_forecasts.levels(conn, gauges[:size])
    items = (encode(forecast_item(gauge, levels.get(gauge["device_id"], []), now)) for gauge in gauges[:size])
    more = write_cursor(gauges[size - 1]["device_id"]) if len(gauges) > size else None
    return items_reply(request, items, more)


@ENDPOINTS.get("/forecasts/past", role="viewer", answer=forecast_shapes.PastForecasts)
async def list_past(
    request: Request,
    device: OfGauge = None,
    since: From = None,
    to: To = None,
    limit: Limit = None,
    cursor: Cursor = None,
) -> Response:
    """Judged forecasts of the range, 30 days by default, newest first: of each rise and level what was said first."""
    here = context.of(request)
    span = window(since, to, context.utc_now(), SCORED)
    size = limit_of(limit, here.settings.page_max)
    at, gauge, siaga = read_cursor(cursor, str, str, int) if cursor else (None, None, None)
    asked = AskedPast(device, span.since, span.until, at and cursor_time(at), gauge, siaga, size + 1)
    async with here.reads.connection() as conn:
        rows = await read_forecasts.past(conn, asked)
    ends = [(row.pop("position"), row["device_id"], row["siaga"]) for row in rows]
    more = write_cursor(time_text(ends[size - 1][0]), *ends[size - 1][1:]) if len(rows) > size else None
    return items_reply(request, map(encode, rows[:size]), more)


@ENDPOINTS.get("/forecasts/score", role="viewer", answer=forecast_shapes.Scores)
async def show_score(request: Request, device: OfGauge = None, since: From = None, to: To = None) -> Response:
    """Hits, misses, false ones, lead and interval of the range, 30 days by default, for each stage and those above."""
    here = context.of(request)
    span = window(since, to, context.utc_now(), SCORED)
    async with here.reads.connection() as conn:
        rows = [{"stage": stage} | await read_forecasts.score(conn, stage, *span, device) for stage in AT_LEAST]
    answer = {
        "from": time_text(span.since),
        "to": time_text(span.until),
        "device": device,
        "horizon_h": here.settings.forecast_horizon_h,
        "items": [_scored(row) for row in rows],
    }
    return reply(encode(answer))


def forecast_item(gauge: Row, levels: Sequence[Row], now: datetime) -> dict[str, Any]:
    """A gauge with its forecast, or why there is none."""
    of_all = levels[0] if levels else {}
    refused = gauge["refused"]
    return {
        **{name: gauge[name] for name in ("device_id", "device_name", "as_of")},
        **{name: of_all.get(name) for name in ("made_at", "level_m", "slope_m_h", "points")},
        "levels": [_level(row, _seen_from(gauge, row, now)) for row in levels],
        "refused": refused and {"reason": refused, "since": gauge["refused_at"], "text": _words(refused_text(refused))},
    }


def _seen_from(gauge: Row, row: Row, now: datetime) -> datetime:
    """Of what holds no longer the words are those of its own time."""
    newest: datetime = gauge["newest"]
    return now if row["holds"] and newest > now - FRESH else newest


def _level(row: Row, now: datetime) -> dict[str, Any]:
    lag_s = row["lag_s"]
    return {
        **{name: row[name] for name in ("siaga", "bound_m", "earliest", "latest", "stage", "basis", "upstream")},
        "at": row["expected_at"],
        "lag_h": lag_s and lag_s / 3600,
        "rose_m": row["rose_m"],
        "text": _words(_text(row, now)),
        "outcome": row["outcome"],
        "reached_at": row["reached_at"],
    }


def _text(row: Row, now: datetime) -> Label:
    from_s, to_s = ((row[name] - now).total_seconds() for name in ("earliest_at", "latest_at"))
    if row["basis"] == "upstream":
        return upstream_text(row["siaga"], from_s, to_s, row["upstream_name"], row["rose_m"], row["lag_s"])
    return level_text(row["siaga"], from_s, to_s, row["slope_m_h"])


def _scored(row: Row) -> dict[str, Any]:
    timed, covered = row.pop("timed"), row.pop("covered")
    judged = row["right"] + row["false"]
    interval = {"timed": timed, "covered": covered, "coverage": covered / timed if timed else None}
    return row | {"right_share": row["right"] / judged if judged else None, "interval": interval}


def _words(label: Label) -> dict[str, str]:
    return {"id": label.id, "en": label.en}
