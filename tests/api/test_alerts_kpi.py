"""The report of alerts: every figure on a small story, as JSON and as a table."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api import alert_shapes

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RANGE = "from=2026-11-20T12:00:00Z&to=2026-11-20T16:00:00Z"


@pytest.fixture
def story(town: Any) -> Any:
    """Twelve lamps that fail within 6 min, one that chatters, a gauge that has stood for days, one historical alert."""
    for i in range(12):
        town.device(f"lamp-{i:02}", name=f"Lampu {i}")
        at = T0 + i * MINUTE / 2
        number = town.alert(
            f"lamp-{i:02}", severity=1, raised_at=at, detected_at=at, cleared_at=at + 9 * MINUTE, active=False
        )
        town.transition(number, "raised", 1, event_at=at, detected_at=at)
    for second in (0, 20, 40):
        at = T0 + timedelta(hours=2, seconds=second)
        town.transition(number, "raised" if second != 20 else "cleared", 1, event_at=at, detected_at=at)
    town.transition(
        number, "acked", 1, from_severity=1, who="sari", event_at=at + 5 * MINUTE, detected_at=at + 5 * MINUTE
    )
    town.transition(
        number, "acked", 1, from_severity=1, who="siaga", event_at=at + 9 * MINUTE, detected_at=at + 9 * MINUTE
    )
    town.gauge()
    town.alert("buntu-pane", rule="siaga", severity=3, raised_at=T0 - timedelta(days=3))
    past = town.alert("buntu-pane", rule="stale", severity=3, historical=True, raised_at=T0 - timedelta(days=3))
    town.transition(past, "raised", 3, event_at=T0, detected_at=T0)
    for who in ("sari", "budi", "sari"):
        town.transition(past, "shelved", 3, event_at=T0, detected_at=T0, who=who)
    return number


async def test_every_figure(viewer: httpx.AsyncClient, story: int) -> None:
    answer = await viewer.get(f"/api/v1/alerts/kpi?{RANGE}")
    assert answer.status_code == 200, answer.text
    alert_shapes.Kpi.model_validate_json(answer.content)
    report = answer.json()
    assert (report["from"], report["to"], report["alerts"]) == ("2026-11-20T12:00:00Z", "2026-11-20T16:00:00Z", 14)
    assert (len(report["by_hour"]), report["by_hour"][0], sum(report["by_hour"])) == (4, 12, 14)
    assert report["per_operator_hour"] == {
        "hours": 4, "mean": 3.5, "most": 12, "share_up_to_6": 0.75, "share_7_to_12": 0.25, "share_above_12": 0.0,
        "most_in_10_min": 12, "share_10_min_above_10": round(1 / 24, 6),
    }  # fmt: skip
    assert report["floods"]["count"] == 1
    assert report["floods"]["worst"] == [
        {"begin": "2026-11-20T12:05:00Z", "end": "2026-11-20T12:13:30Z", "alerts": 12},
    ]  # fmt: skip
    assert report["floods"]["share_of_time"] == round(8.5 / 240, 6)
    first = report["bad_actors"][0]
    assert first == {
        "rule": "lamp_out", "device_id": "lamp-11", "device_name": "Lampu 11", "alerts": 3, "share": round(3 / 14, 6),
    }  # fmt: skip
    assert (len(report["bad_actors"]), report["bad_actors_share"]) == (10, round(12 / 14, 6))
    assert report["standing"]["count"] == 1
    assert report["standing"]["longest"][0]["device_id"] == "buntu-pane"
    assert [(each["id"], each["most_in_1_min"]) for each in report["chattering"]] == [(story, 3)]
    assert report["to_ack"] == [
        {"severity": severity, "acknowledged": 1, "median_s": 300.0, "p90_s": 300.0} for severity in (None, 1)
    ]
    assert report["shelved_by"] == [{"who": "sari", "shelved": 2}, {"who": "budi", "shelved": 1}]
    assert report["unacknowledged"] == 13


async def test_as_a_table(viewer: httpx.AsyncClient, story: int) -> None:
    by_name = await viewer.get(f"/api/v1/alerts/kpi?{RANGE}&format=csv")
    by_accept = await viewer.get(f"/api/v1/alerts/kpi?{RANGE}", headers={"Accept": "text/csv"})
    assert by_name.text == by_accept.text
    assert by_name.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(by_name.text)))
    assert rows[0] == ["figure", "of", "value"]
    assert ["alerts", "", "14"] in rows
    assert ["bad_actor_alerts", "lamp_out lamp-11", "3"] in rows
    assert ["to_ack_median_s", "severity 1", "300.0"] in rows


async def test_nothing_happened(viewer: httpx.AsyncClient) -> None:
    report = (await viewer.get("/api/v1/alerts/kpi")).json()
    assert (report["alerts"], report["bad_actors"], report["bad_actors_share"], report["to_ack"]) == (0, [], None, [])
    assert report["per_operator_hour"]["share_up_to_6"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [("from=-93d", "from"), ("from=-1h&to=-1h", "from"), ("operators=0", "operators"), ("format=xml", "format")],
)
async def test_what_is_refused(viewer: httpx.AsyncClient, query: str, field: str) -> None:
    answer = await viewer.get(f"/api/v1/alerts/kpi?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
