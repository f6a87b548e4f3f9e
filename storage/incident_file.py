"""An incident file: everything that is known about one alert, or an incident with its members, in one ZIP.

Read in one transaction, so all of it is as of one moment; written page by page off the event loop, so memory is flat.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import IO, Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg

from alerts import incident_file as file
from alerts import incident_file_page as pages
from alerts.advice_changes import bound_of, in_own_unit
from alerts.incident_file import Row, Span
from alerts.incident_file_curve import Curve
from alerts.incident_file_map import Area, Geometry, Place, geojson, svg
from alerts.incident_file_page import Story
from alerts.incident_file_readme import ENGLISH, INDONESIAN
from alerts.rule import Level
from alerts.words import SEVERITIES, title
from devices.device import Device
from devices.kinds import KINDS
from devices.quality import Quality
from storage import incident_file_rows as rows
from storage import notices
from storage.as_json import time_text
from storage.incident_file_case import Case, Limits, look_up, program, rule_of
from storage.incident_file_readings import Watch, write_readings
from storage.incident_zip import Bundle
from storage.kind_tables import Level as Size

UPSTREAM_MOST = 5
FORECASTS_MOST = 20_000
# Up to how long a span is told by which rollup: 20 neighbours are some ten thousand rows at most.
SIZES: tuple[tuple[timedelta, Size], ...] = ((timedelta(days=3), "5m"), (timedelta(days=60), "1h"))


class Ground(NamedTuple):
    """Where this installation stands. districts: polygons by code, of those that are known."""

    regency: str
    zone: ZoneInfo
    districts: Mapping[str, Geometry]


class Made(NamedTuple):
    """A file that was written."""

    name: str
    readings: int
    members: int
    chain: str


async def write(
    conn: psycopg.AsyncConnection[Any], alert_id: int, out: IO[bytes], ground: Ground, limits: Limits, now: datetime
) -> Made | None:
    """Write the file of an alert; None where there is no such alert. Raises psycopg.Error, OSError."""
    async with conn.transaction():
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        case = await look_up(conn, alert_id, limits, now)
        if case is None:
            return None
        bundle = Bundle(out, now)
        try:
            return await _write(conn, case, bundle, ground, limits, now)
        finally:
            # Also of a file that did not come about: else it is closed by chance, after what it was written into.
            bundle.close()


async def _write(
    conn: psycopg.AsyncConnection[Any], case: Case, bundle: Bundle, ground: Ground, limits: Limits, now: datetime
) -> Made:
    curve = Curve(case.span)
    written = await write_readings(conn, bundle, case.devices, case.span, limits.readings, _watcher(case, curve))
    neighbours = await _neighbours(conn, case, limits.neighbours)
    await _write_neighbours(conn, bundle, neighbours, case.span)
    rule = await rule_of(conn, case)
    await asyncio.to_thread(bundle.add, file.RULE, _json(rule))
    history, history_count = await _write_transitions(conn, bundle, case)
    told = await notices.of_alert(conn, case.alert["id"])
    await asyncio.to_thread(bundle.add, file.NOTICES, _table(file.NOTICE_COLUMNS, told))
    foretold = await _forecasts(conn, case)
    more = len(foretold) > FORECASTS_MOST
    foretold = foretold[:FORECASTS_MOST]
    text = _table(file.FORECAST_COLUMNS, foretold) + (file.cut_line(file.FORECASTS, FORECASTS_MOST) if more else "")
    await asyncio.to_thread(bundle.add, file.FORECASTS, text)
    places, areas = _places(case, neighbours), _areas(case, ground)
    drawn = svg(places, areas, pages.headline(case.alert))
    await asyncio.to_thread(bundle.add, file.GEOJSON, geojson(places, areas))
    await asyncio.to_thread(bundle.add, file.SVG, drawn)
    cut = []
    if written.cut:
        cut.append(f"{file.READINGS} dipotong: {limits.readings} pembacaan (SIAGA_INCIDENT_FILE_READINGS_MAX)")
    if more:
        cut.append(f"{file.FORECASTS} dipotong: {FORECASTS_MOST} prakiraan")
    if case.members_cut:
        cut.append(f"Hanya {limits.members} perangkat pertama yang dimuat (SIAGA_INCIDENT_FILE_MEMBERS_MAX)")
    summary = _summary(case, ground, bundle, now, written.rows, cut, [each.device.id for each in neighbours])
    story = Story(
        case.alert, history, history_count, case.members[: pages.SHOWN_MOST], len(case.members), _rung(case),
        foretold[: pages.SHOWN_MOST], told[: pages.SHOWN_MOST], written.rows, case.span, cut,
        curve.svg(_bounds(case), _unit(case), ground.zone), drawn, ground.regency, ground.zone, now,
    )  # fmt: skip
    await asyncio.to_thread(_finish, bundle, summary, story)
    name = file.file_name(case.raised_at.astimezone(ground.zone).date(), case.alert["device_id"], case.alert["id"])
    return Made(name, written.rows, len(case.members), summary["chain"])


def _finish(bundle: Bundle, summary: Mapping[str, Any], story: Story) -> None:
    sealed = pages.page(story, bundle.seal)
    bundle.add(file.SUMMARY, _json(summary))
    bundle.add(file.PAGE, sealed)
    bundle.add(file.README_ID, INDONESIAN)
    bundle.add(file.README_EN, ENGLISH)
    bundle.add_unsealed(file.SUMS, bundle.seal.text())
    bundle.close()


async def _write_transitions(conn: psycopg.AsyncConnection[Any], bundle: Bundle, case: Case) -> tuple[list[Row], int]:
    """All events of the alert and its members; returns the first of its own, and how many there are."""
    history: list[Row] = []
    count = 0
    own = case.alert["id"]
    with bundle.open(file.TRANSITIONS) as entry:
        entry.write(file.line(file.TRANSITION_COLUMNS))
        async for page in rows.transitions(conn, [own, *(each["id"] for each in case.members)]):
            text = file.lines([each[name] for name in file.TRANSITION_COLUMNS] for each in page)
            await asyncio.to_thread(entry.write, text)
            mine = [each for each in page if each["alert_id"] == own]
            count += len(mine)
            history += mine[: pages.SHOWN_MOST - len(history)]
    return history, count


async def _neighbours(conn: psycopg.AsyncConnection[Any], case: Case, most: int) -> list[Place]:
    """Gauges upstream; then what shares a river, panel or site with the alert's device, or with its first member."""
    first = case.own or next(iter(case.devices), None)
    if first is None:
        return []
    known = {device.id for device in case.devices}
    found: list[Place] = []
    above = first
    while len(found) < min(most, UPSTREAM_MOST) and (name := above.attributes.get("upstream")) and name not in known:
        upstream = await rows.devices(conn, [name])
        if not upstream:
            break
        above = upstream[0]
        known.add(above.id)
        found.append(Place(above, "upstream"))
    by = next((by for by in KINDS[first.kind].group_by if first.attributes.get(by)), None)
    if by is not None and len(found) < most:
        others = await rows.together(conn, first, by, sorted(known), most - len(found))
        found += [Place(other, f"same {by}") for other in others]
    return found


async def _write_neighbours(
    conn: psycopg.AsyncConnection[Any], bundle: Bundle, neighbours: Sequence[Place], span: Span
) -> None:
    lasts = span.until - span.since
    size: Size = next((size for most, size in SIZES if lasts <= most), "1d")
    kinds = {each.device.kind for each in neighbours}
    # All of one kind: an upstream gauge is a gauge, and a group is of a kind.
    names = rows.rollup_names(KINDS[kinds.pop()]) if kinds else []
    with bundle.open(file.NEIGHBOURS) as entry:
        entry.write(file.line([*file.NEIGHBOUR_HEAD, *names]))
        for device, how in neighbours:
            found = await rows.rollups(conn, device, size, span)
            text = file.lines((device.id, device.name, how, *each) for each in found)
            await asyncio.to_thread(entry.write, text)


async def _forecasts(conn: psycopg.AsyncConnection[Any], case: Case) -> list[dict[str, Any]]:
    return [] if case.own is None else await rows.forecasts(conn, case.own.id, case.span, FORECASTS_MOST + 1)


def _watcher(case: Case, curve: Curve) -> Watch:
    """Takes the readings of the alert's own device into the curve."""
    metric, own = case.alert["metric"], case.alert["device_id"]

    def watch(device: Device, columns: Sequence[str], at: datetime, qc: int, cells: Sequence[Any]) -> None:
        if device.id == own and metric in columns and qc <= Quality.NOT_EVALUATED:
            curve.add(at, cells[columns.index(metric)])

    return watch


def _places(case: Case, neighbours: Iterable[Place]) -> list[Place]:
    own = case.alert["device_id"]
    return [*(Place(each, "alert" if each.id == own else "member") for each in case.devices), *neighbours]


def _areas(case: Case, ground: Ground) -> list[Area]:
    codes = dict.fromkeys(each.district for each in case.devices if each.district in ground.districts)
    return [Area(code, ground.districts[code]) for code in codes if code is not None]


def _rung(case: Case) -> Level | None:
    if case.rule is None:
        return None
    return next((level for level in case.rule.level if level.severity == case.alert["peak_severity"]), None)


def _bounds(case: Case) -> dict[str, float]:
    """Bounds in the unit of the metric, by what they are called."""
    if case.rule is None or case.own is None or not in_own_unit(case.rule):
        return {}
    named = [
        (f"Siaga {level.siaga}" if level.siaga else SEVERITIES[level.severity].id, bound)
        for level in case.rule.level
        if (bound := bound_of(level, case.own.attributes)) is not None
    ]
    return dict(named)


def _unit(case: Case) -> str:
    kind = KINDS.get(case.alert["kind"])
    metric = kind.metrics.get(case.alert["metric"] or "") if kind else None
    return "" if metric is None else metric.sign.id if metric.sign else metric.unit


def _summary(
    case: Case, ground: Ground, bundle: Bundle, now: datetime, readings: int, cut: Sequence[str], neighbours: list[str]
) -> dict[str, Any]:
    alert = case.alert
    told = title(alert["rule"], alert["device_name"], alert["worst_siaga"])
    return {
        "alert": dict(alert),
        "headline": {"id": told.id, "en": told.en},
        "regency": ground.regency,
        "time_zone": str(ground.zone),
        "made_at": time_text(now),
        "program": program(),
        "from": time_text(case.span.since),
        "to": time_text(case.span.until),
        "readings": readings,
        "members": [{name: each[name] for name in each if name != "detected"} for each in case.members],
        "neighbours": neighbours,
        "cut": list(cut),
        "sha256": dict(bundle.seal.sums),
        "chain": bundle.seal.chain,
    }


def _table(columns: Sequence[str], found: Iterable[Row]) -> str:
    return file.line(columns) + file.lines([each[name] for name in columns] for each in found)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
