"""An alert as clients see it: the row, its unit and its headline."""

from __future__ import annotations

from typing import Any

from alerts import words
from devices.kinds import KINDS
from storage.read_alerts import Counts, Row


def alert_item(row: Row) -> dict[str, Any]:
    kind = KINDS.get(row["kind"])
    metric = kind.metrics.get(row["metric"] or "") if kind else None
    title = words.title(row["rule"], row["device_name"], row["siaga"], row["severity"] < row["peak_severity"])
    return row | {"unit": metric.unit if metric else None, "title": {"id": title.id, "en": title.en}}


def counts_item(counts: Counts) -> dict[str, Any]:
    """shelved and suppressed are 0 until there is such a state."""
    unacked = {str(severity): number for severity, number in enumerate(counts.unacked)}
    return {"open": counts.open, "unacked": unacked, "shelved": 0, "suppressed": 0}
