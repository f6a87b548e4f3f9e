"""Traffic by site: what it is now, and how it usually is at this time of the week."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from alerts.level_of_service import Classes, density, letter, passenger_cars
from api import context, traffic_shapes
from api.auth import Endpoints
from api.params import DeviceId, DistrictFilter, From, To, window
from api.problems import not_found, wrong_field
from api.reply import encode, items_reply, reply
from devices.kinds.traffic import KIND
from storage import traffic
from storage.as_json import time_text
from storage.traffic import Of, Quarter, Usual

ENDPOINTS = Endpoints("/api/v1")
FRESH = timedelta(seconds=3 * KIND.interval_s)
QUARTER, DAY, WEEK = timedelta(minutes=15), timedelta(days=1), timedelta(weeks=1)
# A day of every road, a week of one.
MOST_OF_ALL, MOST_OF_ONE = 2 * DAY, 15 * DAY
QUARTERS = 96
WEEKS = 8
EARLIEST, LATEST = date(1971, 1, 1), date(9999, 12, 30)

OfSite = Annotated[
    str | None, Query(min_length=1, max_length=200, description="only this site, as /traffic/now has it")
]
OnDate = Annotated[date | None, Query(alias="date", description="in the zone of the installation; today if left out")]
Weeks = Annotated[int, Query(ge=1, le=26, description="how many weeks before are looked at")]


@ENDPOINTS.get("/traffic/now", role="viewer", answer=traffic_shapes.Sites)
async def list_sites(request: Request, district: DistrictFilter = None) -> Response:
    """Every site with speed, flow and level of service; furthest below its usual speed first, the silent ones last."""
    here, now = context.of(request), context.utc_now()
    zone = here.settings.zone
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    of = Of(district=district)
    async with here.reads.connection() as conn:
        rows = await traffic.now(conn, of, now, now - FRESH, midnight)
        usual = {each.site: each for each in await traffic.typical(conn, of, _this_quarter(now, zone))}
    items = sorted((_site(row, usual.get(row["site"])) for row in rows), key=_departure)
    return items_reply(request, map(encode, items))


@ENDPOINTS.get("/traffic/course", role="viewer", answer=traffic_shapes.Courses, problems=[HTTPStatus.NOT_FOUND])
async def list_courses(
    request: Request, site: OfSite = None, district: DistrictFilter = None, since: From = None, to: To = None
) -> Response:
    """Sites by quarters of an hour, of the last 24 h by default: speed, flow and level of service."""
    here = context.of(request)
    span = window(since, to, context.utc_now(), DAY)
    most = MOST_OF_ALL if site is None else MOST_OF_ONE
    if span.until - span.since > most:
        raise wrong_field(
            "from", f"more than {most / DAY:.0f} days" + ("; name a site for more" if site is None else "")
        )
    of = Of(district=district, site=site)
    async with here.reads.connection() as conn:
        if site is not None and not await traffic.known(conn, of):
            raise not_found(f"site {site!r}")
        rows = await traffic.course(conn, of, span.since, span.until)
    by_site = groupby(map(_quarter, rows), key=itemgetter(0))
    items = ({"site": name, "items": [quarter for _, quarter in found]} for name, found in by_site)
    return items_reply(request, map(encode, items))


@ENDPOINTS.get(
    "/traffic/typical", role="viewer", answer=traffic_shapes.Typical, problems=[HTTPStatus.NOT_FOUND]
)  # fmt: skip
async def show_typical(
    request: Request,
    site: OfSite = None,
    device: Annotated[DeviceId | None, Query(description="only this detector")] = None,
    on: OnDate = None,
    weeks: Weeks = WEEKS,
) -> Response:
    """A day by quarters of an hour, as the same weekday was in the weeks before: speed and flow, middle and tenths.

    One of site and device is needed. Holidays are days like others.
    """
    if (site is None) == (device is None):
        raise wrong_field("site", "name a site, or a device, and not both")
    if on is not None and not EARLIEST <= on <= LATEST:
        raise wrong_field("date", f"must be from {EARLIEST} to {LATEST}")
    here, now = context.of(request), context.utc_now()
    zone = here.settings.zone
    day = on or now.astimezone(zone).date()
    begins = _quarters(day, zone)
    of = Of(site=site, device=device)
    async with here.reads.connection() as conn:
        if not await traffic.known(conn, of):
            raise not_found(f"device {device} of kind traffic" if device else f"site {site!r}")
        found = await traffic.typical(conn, of, _of_weeks(day, zone, range(QUARTERS), weeks))
    by_number = {each.number: each for each in found}
    name = found[0].site if found else site or device
    quarters = [
        {"bucket": time_text(begin), **_speed_and_flow(by_number.get(number))} for number, begin in enumerate(begins)
    ]
    answer = {
        "from": time_text(begins[0]),
        "to": time_text(begins[0] + timedelta(days=1)),
        "weeks": weeks,
        "items": [{"site": name, "items": quarters}],
        "next_cursor": None,
    }
    return reply(encode(answer))


def _site(row: dict[str, Any], usual: Usual | None) -> dict[str, Any]:
    counted = {name: row.pop(f"{name}_vph") for name in ("motorcycle", "car", "heavy")}
    today = {name: row.pop(f"{name}_today") for name in ("motorcycles", "cars", "heavy")}
    classes = Classes(**counted) if row.pop("has_classes") else Classes(None, None, None)
    speed, flow = row["speed_kmh"], row["flow_vph"]
    per_km = None if flow is None else density(passenger_cars(flow, classes), speed, row["reporting"])
    spread = _speed_and_flow(usual)
    middle = spread["speed"]["p50_kmh"]
    return row | {
        "density_per_km": per_km,
        "los": letter(per_km, row["occupancy_pct"]) if row["reporting"] else None,
        "usual_speed": spread["speed"],
        "usual_flow": spread["flow"],
        "departure_share": speed / middle - 1 if speed is not None and middle else None,
        "vehicles_per_h": {"motorcycles": counted["motorcycle"], "cars": counted["car"], "heavy": counted["heavy"]},
        "vehicles_today": today,
    }


def _quarter(row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    flow, speed = row["flow_vph"], row["speed_kmh"]
    counted = (row["motorcycle_vph"], row["car_vph"], row["heavy_vph"])
    classes = Classes(*counted) if row["has_classes"] else Classes(None, None, None)
    per_km = None if flow is None else density(passenger_cars(flow, classes), speed, row["lanes"])
    los = letter(per_km, row["occupancy_pct"])
    return row["site"], {"bucket": row["bucket"], "speed_kmh": speed, "flow_vph": flow, "los": los}


def _departure(site: dict[str, Any]) -> tuple[bool, bool, float, str]:
    departure = site["departure_share"]
    return departure is None, not site["reporting"], departure or 0.0, site["site"]


def _speed_and_flow(usual: Usual | None) -> dict[str, Any]:
    if usual is None:
        return {"speed": _spread(None, 0, "kmh"), "flow": _spread(None, 0, "vph")}
    return {
        "speed": _spread(usual.speed_kmh, usual.speed_n, "kmh"),
        "flow": _spread(usual.flow_vph, usual.flow_n, "vph"),
    }


def _spread(tenths: list[float] | None, n: int, unit: str) -> dict[str, Any]:
    told = tenths if tenths and n else (None, None, None)
    return {f"{name}_{unit}": value for name, value in zip(("p10", "p50", "p90"), told, strict=True)} | {"n": n}


def _this_quarter(now: datetime, zone: ZoneInfo) -> list[Quarter]:
    here = now.astimezone(zone)
    return _of_weeks(here.date(), zone, [here.hour * 4 + here.minute // 15], WEEKS)


def _of_weeks(day: date, zone: ZoneInfo, numbers: Any, weeks: int) -> list[Quarter]:
    """The same quarters of the same weekday in the weeks before."""
    found = []
    for week in range(1, weeks + 1):
        begins = _quarters(day - week * WEEK, zone)
        found += [Quarter(begins[number], number, week) for number in numbers]
    return found


def _quarters(day: date, zone: ZoneInfo) -> list[datetime]:
    """When they begin, by the clock of the zone."""
    midnight = datetime.combine(day, time())
    return [(midnight + n * QUARTER).replace(tzinfo=zone).astimezone(UTC) for n in range(QUARTERS)]
