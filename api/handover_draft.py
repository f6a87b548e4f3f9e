"""What there is to hand over, put together from what the system knows; in one transaction, so of one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts import kpi, ladder
from alerts.handover import downstream
from alerts.life import SERVER
from api.alert_item import alert_item
from api.context import Conn, Regions
from api.routes.forecasts import FRESH, forecast_item
from devices.kinds import KINDS
from storage import alert_kpi, duty, handover, read_alerts, read_forecasts, read_latest, read_ledger, windows
from storage.alert_kpi import Range
from storage.as_json import time_text
from storage.handover import Listed, Span
from storage.place import Place
from storage.read_alerts import Query, State

# Lines of a part that are told; `count` says how many there are.
MOST = 500
LONGEST = 10
LATEST_MAX = 100_000
# Of the last 24 h: fewer readings than nine of ten is a device to look at.
DAY, INCOMPLETE_SHARE = timedelta(hours=24), 0.1
LADDERS = [kind for kind in KINDS.values() if ladder.has_ladder(kind)]


async def draft(conn: Conn, since: datetime, now: datetime, regions: Regions) -> dict[str, Any]:
    """Everything of docs/handover.md, as JSON has it."""
    of = Span(since, now)
    counts = await read_alerts.counts(conn)
    day = Span((now - DAY).replace(minute=0, second=0, microsecond=0), now)
    standing, longest = await alert_kpi.standing(conn, now, kpi.STANDING_S, LONGEST)
    return {
        "from": time_text(since),
        "to": time_text(now),
        "event_id": await read_alerts.last_event(conn),
        "rivers": await _rivers(conn, of),
        "open": await _alerts(conn, "open", counts.open),
        "unacked": sum(counts.unacked),
        "shelved": await _alerts(conn, "shelved", counts.shelved),
        "windows": await _windows(conn, now),
        "degraded": {
            "silent": _told(await handover.silent(conn, MOST)),
            "suspect": _told(await handover.suspect(conn, MOST)),
            "incomplete": _told(await handover.incomplete(conn, day, INCOMPLETE_SHARE, MOST)),
        },
        "ledger": await _ledger(conn, day),
        "quarantine_open": await handover.waiting(conn),
        "forecasts": await _forecasts(conn, now),
        "shift": await _shift(conn, of),
        "standing": {"count": standing, "longest": [each._asdict() for each in longest]},
        # The roster is of the whole installation, so who is limited to regions is not shown it.
        "on_duty": None if regions is not None else await _on_duty(conn, now),
    }


async def _rivers(conn: Conn, of: Span) -> list[dict[str, Any]]:
    """Gauges by river, in the order in which water passes them."""
    rivers: dict[str | None, list[dict[str, Any]]] = {}
    for kind in LADDERS:
        rows = {row["device_id"]: row for row in await handover.gauges(conn, kind, of)}
        newest = await read_latest.list_latest(conn, kind.name, Place(), None, "", LATEST_MAX)
        rates = await read_latest.rates(conn, newest, of.until)
        found = {each.device_id: each for each in newest}
        for device in downstream((row["device_id"], row["upstream"]) for row in rows.values()):
            row, latest = rows[device], found.get(device)
            gauge = {
                "device_id": device,
                "device_name": row["device_name"],
                "district": row["district"],
                "ts": latest and time_text(latest.ts),
                "qc": latest and latest.qc,
                "level_m": latest and latest.level_m,
                "siaga": latest and latest.siaga,
                "rate": rates.get(device),
                "peak": None if row["peak_m"] is None else _peak(row),
            }
            rivers.setdefault(row["river"], []).append(gauge)
    return [{"river": river, "gauges": gauges} for river, gauges in rivers.items()]


def _peak(row: Mapping[str, Any]) -> dict[str, Any]:
    siaga = ladder.siaga(row["peak_m"], row["attributes"])
    return {"level_m": row["peak_m"], "at": row["peak_at"], "siaga": siaga}


async def _alerts(conn: Conn, state: State, count: int) -> dict[str, Any]:
    rows = await read_alerts.list_alerts(conn, Query(state, "false", MOST), None)
    return {"count": count, "items": [alert_item(row) for row in rows]}


async def _windows(conn: Conn, now: datetime) -> dict[str, Any]:
    rows = await windows.windows(conn, "standing", None, MOST + 1, now)
    return {"count": len(rows), "items": rows[:MOST]}


async def _ledger(conn: Conn, of: Span) -> list[dict[str, Any]]:
    rows = await read_ledger.summary(conn, ["kind"], *of, None, None, MOST)
    names = ("kind", "received", "missing", "quarantined", "completeness")
    return [{name: row[name] for name in names} for row in rows]


async def _forecasts(conn: Conn, now: datetime) -> list[dict[str, Any]]:
    asked = read_forecasts.Asked(None, True, False, now - FRESH, "", MOST)
    gauges = await read_forecasts.gauges(conn, asked)
    levels = await read_forecasts.levels(conn, gauges)
    return [forecast_item(gauge, levels.get(gauge["device_id"], []), now) for gauge in gauges]


async def _shift(conn: Conn, of: Span) -> dict[str, Any]:
    """The figures of docs/alerts.md, of this shift."""
    asked = Range(*of)
    times = await alert_kpi.times(conn, asked)
    acks = await alert_kpi.to_ack(conn, asked, SERVER)
    floods = kpi.floods(times, of.until.timestamp())
    sent = await handover.notices(conn, of)
    overall = next(iter(kpi.to_ack(acks)), None)
    return {
        "raised": len(times),
        "acknowledged": len(acks),
        "median_s": overall and overall.median_s,
        "longest_s": max((seconds for _, seconds in acks), default=None),
        "floods": len(floods),
        "flood_s": sum(flood.end - flood.begin for flood in floods),
        "worst_floods": [_flood(each) for each in sorted(floods, key=lambda each: -each.alerts)[:LONGEST]],
        "notices_sent": sent["sent"],
        "notices_dead": sent["dead"],
    }


async def _on_duty(conn: Conn, now: datetime) -> list[dict[str, Any]]:
    return [{"team": team, "on_duty": people} for team, people in (await duty.on_duty(conn, now)).items()]


def _flood(flood: kpi.Flood) -> dict[str, Any]:
    begin, end = (time_text(datetime.fromtimestamp(at, UTC)) for at in (flood.begin, flood.end))
    return {"begin": begin, "end": end, "alerts": flood.alerts}


def _told(listed: Listed) -> dict[str, Any]:
    return {"count": listed.number, "items": listed.items}


def unacknowledged(rows: Iterable[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Of the open alerts of a draft, those that nobody looks after."""
    return [row for row in rows if not row["acked"]]
