"""An alert as clients see it: the row, its unit and its headline, its version as an ETag."""

from __future__ import annotations

from typing import Annotated, Any

import psycopg
from fastapi import Path

from alerts import words
from api.problems import not_found
from devices.kinds import KINDS
from storage import read_alerts
from storage.read_alerts import Counts, Row

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
    title = words.title(row["rule"], row["device_name"], row["siaga"], row["severity"] < row["peak_severity"])
    return row | {"unit": metric.unit if metric else None, "title": {"id": title.id, "en": title.en}}


def counts_item(counts: Counts) -> dict[str, Any]:
    unacked = {str(severity): number for severity, number in enumerate(counts.unacked)}
    return {"open": counts.open, "unacked": unacked, "shelved": counts.shelved, "suppressed": counts.suppressed}
