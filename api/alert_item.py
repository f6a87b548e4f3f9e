"""An alert as clients see it: the row, its unit and its headline, its version as an ETag."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import psycopg
from fastapi import Path

from alerts import kpi, words
from alerts.incident import group_of
from api.problems import not_found
from devices.kinds import KINDS
from storage import alert_kpi, read_alerts
from storage.alert_kpi import Range
from storage.as_json import time_text
from storage.read_alerts import Row

# A flood that lasts for longer has become the rule.
FLOOD_LOOK_BACK = timedelta(days=1)

AlertId = Annotated[int, Path(ge=1, le=2**63 - 1)]


async def find_alert(conn: psycopg.AsyncConnection[Any], alert_id: int) -> dict[str, Any]:
    """One alert. Raises 404."""
    row = await read_alerts.one_alert(conn, alert_id)
    if row is None:
        raise not_found(f"alert {alert_id}")
    return alert_item(row)


def tag(alert: dict[str, Any]) -> dict[str, str]:
    """The header that names the version of an alert."""
    return {"ETag": f'"{alert["version"]}"'}


def alert_item(row: Row) -> dict[str, Any]:
    kind = KINDS.get(row["kind"])
    metric = kind.metrics.get(row["metric"] or "") if kind else None
    group = group_of(row["device_id"])
    name = row["device_id"] if group else row["device_name"]
    title = words.title(row["rule"], name, row["siaga"], row["severity"] < row["peak_severity"], row["members"])
    if group:
        row = row | {"device_name": words.group_name(group).id}
    return row | {"unit": metric.unit if metric else None, "title": {"id": title.id, "en": title.en}}


async def counts_now(conn: psycopg.AsyncConnection[Any], now: datetime) -> dict[str, Any]:
    """How many alerts there are, and whether they come faster than anybody can read them."""
    counts = await read_alerts.counts(conn)
    times = await alert_kpi.times(conn, Range(now - FLOOD_LOOK_BACK, now))
    flood = kpi.flood_now(times, now.timestamp())
    unacked = {str(severity): number for severity, number in enumerate(counts.unacked)}
    since = flood and time_text(datetime.fromtimestamp(flood.begin, UTC))
    end = now.timestamp()
    minutes = flood and kpi.counted(times, end - kpi.HOUR_S, end, kpi.MINUTE_S)
    return {
        "open": counts.open, "unacked": unacked, "shelved": counts.shelved, "suppressed": counts.suppressed,
        "flood": flood and {"since": since, "alerts": flood.alerts, "per_minute": minutes},
    }  # fmt: skip
