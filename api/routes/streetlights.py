"""Streetlights by panel and feeder: what they do now, how the night went, and what is wrong with them."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import numpy as np
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from alerts.lit import CELL_S, sunset_and_sunrise
from api import context, csv_text, lamp_groups, streetlight_shapes
from api.auth import Endpoints
from api.csv_text import DialectOf, Sheet, csv_reply, in_pages
from api.formats import Table, chosen
from api.lamp_groups import COLUMNS, Fleet, Half, Times
from api.params import DistrictFilter
from api.problems import wrong_field
from api.reply import encode, reply
from storage import streetlights
from storage.as_json import time_text
from storage.streetlights import By

ENDPOINTS = Endpoints("/api/v1")
MONTH = timedelta(days=30)
EARLIEST, LATEST = date(1970, 1, 2), date(9999, 12, 30)

OnDate = Annotated[
    date | None, Query(alias="date", description="on which it begins, in the zone of the installation; the last one")
]


@ENDPOINTS.get("/streetlights/night", role="viewer", answer=streetlight_shapes.Night, extra=csv_text.ANSWER)
async def show_night(
    request: Request,
    on: OnDate = None,
    half: Annotated[Half, Query(description="night: 18.00 to 06.00; day: 06.00 to 18.00")] = "night",
    by: Annotated[By, Query(description="what lamps are taken together by")] = "panel",
    district: DistrictFilter = None,
    form: Table = None,
    dialect: DialectOf = "rfc4180",
) -> Response:
    """Panels or feeders over a night in cells of 10 min: lit, dimmed and unknown shares, and what the sun asks for.
    What is dark comes first, then what has most faults. A night that is over is told by where lamps hung at its end.
    CSV has a line for each cell."""
    here, now = context.of(request), context.utc_now()
    if on is not None and not EARLIEST <= on <= LATEST:
        raise wrong_field("date", f"must be from {EARLIEST} to {LATEST}")
    times = lamp_groups.times_of(on, half, here.settings.zone, now)
    async with here.reads.connection() as conn:
        closed = await streetlights.closed(conn)
        if closed is not None and times.since < closed:
            raise wrong_field("date", f"what lamps told has been dropped (there is: from {time_text(closed)} on)")
        fleet = Fleet(await streetlights.lamps(conn, by, district, times.until if times.until < now else None))
        ids = [lamp.id for lamp in fleet.lamps]
        told = await streetlights.told(conn, ids, times.read_from(), times.until)
        # By day too: what is dark now may have become so after the night was over.
        outages = await streetlights.outages(conn, by, times.since, max(times.until, now))
        faults = await streetlights.faults(conn)
    # A million and a half states: not on the loop that serves everybody.
    items = await asyncio.to_thread(lamp_groups.items, fleet, times, told, outages, faults, now)
    if chosen(request, form) == "csv":
        lines = list(lamp_groups.rows(items, times))
        sheet = Sheet(COLUMNS, dialect, here.settings.zone)
        return await csv_reply(request, f"streetlights-{half}", sheet, in_pages(lines))
    return reply(await asyncio.to_thread(encode, _night(fleet, times, half) | {"items": items, "next_cursor": None}))


@ENDPOINTS.get("/streetlights/summary", role="viewer", answer=streetlight_shapes.LampSummary)
async def show_lamps(request: Request) -> Response:
    """Lamps that are lit now against those that should be, dark panels and feeders, and faults by rule."""
    here, now = context.of(request), context.utc_now()
    async with here.reads.connection() as conn:
        panels = Fleet(await streetlights.lamps(conn, "panel", None))
        feeders = Fleet(await streetlights.lamps(conn, "feeder", None))
        out: dict[By, list[streetlights.Outage]] = {
            "panel": await streetlights.outages(conn, "panel", now, now + timedelta(seconds=1)),
            "feeder": await streetlights.outages(conn, "feeder", now, now + timedelta(seconds=1)),
        }
        standing = await streetlights.faults(conn)
        by_rule = await streetlights.by_rule(conn, now - MONTH)
    faults = [each for of_group in panels.faults(standing) for each in of_group.items()]
    alone = {row["rule"]: row["alone"] for row in by_rule}
    answer = {
        "lamps": len(panels.lamps),
        "panels": _named(panels),
        "feeders": _named(feeders),
        **{what: sum(of_each) for what, of_each in panels.now(now).items()},
        "dark": [*_dark("panel", panels, out["panel"]), *_dark("feeder", feeders, out["feeder"])],
        "day_burners": sum(number for rule, number in faults if rule == "day_burner"),
        "failed_alone": alone.get("lamp_out", 0),
        "faults": by_rule,
    }
    return reply(encode(answer))


def _night(fleet: Fleet, times: Times, half: Half) -> dict[str, Any]:
    lat, lon = fleet.middle()
    known = ~np.isnan(lat)
    sun: tuple[float | None, float | None] = (None, None)
    if known.any():
        place = float(lat[known].mean()), float(lon[known].mean())
        sun = sunset_and_sunrise(times.since.timestamp() - 3600, times.until.timestamp() + 3600, *place)
    return {
        "from": time_text(times.since),
        "to": time_text(times.until),
        "step_s": CELL_S,
        "half": half,
        "sunset": _time(sun[0]),
        "sunrise": _time(sun[1]),
    }


def _named(fleet: Fleet) -> int:
    return sum(name is not None for name, _ in fleet.groups)


def _dark(by: By, fleet: Fleet, outages: list[streetlights.Outage]) -> list[dict[str, Any]]:
    size = {name: int(fleet.size[n]) for n, (name, _) in enumerate(fleet.groups)}
    return [
        {"by": by, "group": each.name, "alert_id": each.id, "since": each.raised_at, "lamps": size[each.name]}
        for each in outages
        if each.cleared_s is None and each.name in size
    ]


def _time(at: float | None) -> str | None:
    return None if at is None else time_text(datetime.fromtimestamp(round(at), UTC))
