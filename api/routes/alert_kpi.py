"""How many alerts an operator gets, and from where: the report of ISA-18.2, as JSON or as a table."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from alerts import kpi
from alerts.life import SERVER
from api import alert_shapes, context
from api.auth import Endpoints
from api.params import From, To, Window, window
from api.problems import wrong_field
from api.reply import encode, reply
from storage import alert_kpi
from storage.alert_kpi import Range
from storage.as_json import time_text

ENDPOINTS = Endpoints("/api/v1")
DEFAULT = timedelta(days=7)
MOST = 10
CSV_ANSWER = {"responses": {"200": {"content": {"text/csv": {"schema": {"type": "string"}}}}}}
# A line of the table: which figure, of what, how much.
Line = tuple[str, str, Any]


@ENDPOINTS.get("/alerts/kpi", role="viewer", answer=alert_shapes.Kpi, extra=CSV_ANSWER)
async def show_kpi(
    request: Request,
    since: From = None,
    until: To = None,
    operators: Annotated[int, Query(ge=1, le=100, description="how many share the alerts")] = 1,
    format: Annotated[Literal["json", "csv"] | None, Query(description="or by Accept: text/csv")] = None,  # noqa: A002
) -> Response:
    """Alerts per operator hour, floods, bad actors, what stands and what chatters, time to acknowledge; 7 days."""
    here = context.of(request)
    found = window(since, until, context.utc_now(), DEFAULT)
    most_days = here.settings.kpi_days_max
    if not timedelta(0) < found.until - found.since <= timedelta(days=most_days):
        raise wrong_field("from", f"the range must be some time, at most {most_days} d (SIAGA_KPI_DAYS_MAX)")
    async with here.reads.connection() as conn:
        report = await _report(conn, found, operators)
    if format == "csv" or (format is None and "text/csv" in request.headers.get("accept", "")):
        return Response(_csv(report), media_type="text/csv")
    return reply(encode(report))


async def _report(conn: alert_kpi.Conn, of: Window, operators: int) -> dict[str, Any]:
    asked = Range(of.since, of.until)
    times = await alert_kpi.times(conn, asked)
    actors = await alert_kpi.bad_actors(conn, asked, MOST)
    crossings = await alert_kpi.crossings(conn, asked)
    standing, longest = await alert_kpi.standing(conn, of.until, kpi.STANDING_S, MOST)
    acks = await alert_kpi.to_ack(conn, asked, SERVER)
    # 0.1 s for 100,000 alerts: others must not wait for it.
    chattering = await asyncio.to_thread(kpi.chattering, *crossings)
    chatters = [
        each._asdict() | {"most_in_1_min": chattering[each.id]}
        for each in await alert_kpi.named(conn, sorted(chattering))
    ]
    begin, end = of.since.timestamp(), of.until.timestamp()
    floods = await asyncio.to_thread(kpi.floods, times, end)
    return {
        "from": time_text(of.since),
        "to": time_text(of.until),
        "operators": operators,
        "alerts": len(times),
        "by_hour": kpi.counted(times, begin, end, kpi.HOUR_S),
        "per_operator_hour": _rounded(kpi.rate(times, begin, end, operators)._asdict()),
        "floods": {
            "count": len(floods),
            "share_of_time": round(kpi.share_in_flood(floods, begin, end), 6),
            "worst": [_flood(flood) for flood in sorted(floods, key=lambda flood: -flood.alerts)[:MOST]],
        },
        "bad_actors": [each._asdict() | {"share": round(each.alerts / len(times), 6)} for each in actors],
        "bad_actors_share": round(sum(each.alerts for each in actors) / len(times), 6) if len(times) else None,
        "standing": {"count": standing, "longest": [each._asdict() for each in longest]},
        "chattering": sorted(chatters, key=lambda each: -each["most_in_1_min"]),
        "to_ack": [_rounded(each._asdict()) for each in kpi.to_ack(acks)],
        "shelved_by": await alert_kpi.shelved_by(conn, asked),
        "unacknowledged": await alert_kpi.unacknowledged(conn),
    }


def _flood(flood: kpi.Flood) -> dict[str, Any]:
    return {"begin": _time(flood.begin), "end": _time(flood.end), "alerts": flood.alerts}


def _time(at: float) -> str:
    return time_text(datetime.fromtimestamp(at, UTC))


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}


def _csv(report: dict[str, Any]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("figure", "of", "value"))
    writer.writerows(_lines(report))
    return text.getvalue()


def _lines(report: dict[str, Any]) -> Iterator[Line]:
    for name in ("from", "to", "operators", "alerts"):
        yield name, "", report[name]
    for name, value in report["per_operator_hour"].items():
        yield f"per_operator_hour_{name}", "", value
    yield "floods", "", report["floods"]["count"]
    yield "floods_share_of_time", "", report["floods"]["share_of_time"]
    for flood in report["floods"]["worst"]:
        yield "flood_alerts", f"{flood['begin']}/{flood['end']}", flood["alerts"]
    for each in report["bad_actors"]:
        yield "bad_actor_alerts", f"{each['rule']} {each['device_id']}", each["alerts"]
    yield "bad_actors_share", "", report["bad_actors_share"]
    yield "standing_over_24_h", "", report["standing"]["count"]
    for each in report["standing"]["longest"]:
        yield "standing_since", f"{each['rule']} {each['device_id']}", each["raised_at"]
    for each in report["chattering"]:
        yield "chattering_most_in_1_min", f"{each['rule']} {each['device_id']}", each["most_in_1_min"]
    for each in report["to_ack"]:
        of = "" if each["severity"] is None else f"severity {each['severity']}"
        for name in ("acknowledged", "median_s", "p90_s"):
            yield f"to_ack_{name}", of, each[name]
    for each in report["shelved_by"]:
        yield "shelved_by", each["who"], each["shelved"]
    yield "unacknowledged", "", report["unacknowledged"]
