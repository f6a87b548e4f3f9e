"""Advice over HTTP: who chatters comes first, with a rule that can be put in force as it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from api import advice_shapes

T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
RANGE = "from=2026-11-24T12:00:00Z&to=2026-11-24T20:00:00Z"
HOT = {
    "kind": "streetlight", "condition": "above", "metric": "temperature_c", "level": [{"severity": 1, "bound": 80}],
}  # fmt: skip
# Two hours of a lamp, a reading every 10 s: hot for 20 s every two minutes; from the second hour on it stays hot.
READINGS = [(T0 + timedelta(seconds=10 * n), 90.0 if n % 12 < 2 or n >= 540 else 40.0) for n in range(720)]


@pytest.fixture
async def nuisance(client: Any, town: Any) -> None:
    """The lamp's alerts as they were told, a gauge with a few, and what nobody can advise on."""
    body = {"rule": HOT, "reason": "test"}
    assert (await client("engineer").put("/api/v1/rules/hot", json=body, headers={"If-Match": "*"})).is_success
    town.device("pju-1", name="Lampu 1")
    for at, value in READINGS:
        town.reading("pju-1", "streetlight", at, temperature_c=value)
    number = town.alert("pju-1", rule="hot", severity=1, raised_at=T0)
    for minute in range(8):
        for second, what in ((0, "raised"), (20, "cleared"), (40, "raised")):
            at = T0 + timedelta(minutes=2 * minute, seconds=second)
            town.transition(number, what, 1, event_at=at, detected_at=at)
    town.gauge("wl-1")
    for name, rule, minute in (("wl-1", "siaga", 3), ("$siaga", "broker_full", 4)):
        number = town.alert(name, rule=rule, kind="water_level", severity=2, raised_at=T0)
        for n in range(4):
            at = T0 + timedelta(minutes=minute * (n + 1))
            town.transition(number, "raised", 2, event_at=at, detected_at=at)


async def test_what_chatters_is_first_with_a_change_that_works(viewer: httpx.AsyncClient, nuisance: None) -> None:
    answer = await viewer.get(f"/api/v1/alerts/advice?{RANGE}")
    assert answer.status_code == 200, answer.text
    advice_shapes.Advice.model_validate_json(answer.content)
    first, *others = answer.json()["items"]
    assert (first["rule"], first["device_id"], first["device_name"], first["alerts"]) == ("hot", "pju-1", "Lampu 1", 16)
    assert (first["most_in_1_min"], first["readings"], first["suspect_share"]) == (3, 720, 0)
    assert first["before"] == {"alerts": 46, "transitions": 91, "standing_s": 2_690.0}
    proposal = first["proposal"]
    assert (proposal["change"], proposal["value"]) == ("delay_on_s", 30)
    assert (proposal["after"]["alerts"], proposal["delay_s"], proposal["lost_count"]) == (1, 30, 45)
    assert proposal["lost"][0] == {"begin": "2026-11-24T12:00:00Z", "end": "2026-11-24T12:00:20Z", "severity": 1}
    assert first["sentence"]["en"] == ("30 s delay-on removes 99 %, adds at most 30 s; 45 short alerts would not come")
    assert {each["device_id"]: each["proposal"] for each in others} == {"wl-1": None, "$siaga": None}
    assert "too seldom" in others[0]["sentence"]["en"] or "too seldom" in others[1]["sentence"]["en"]


async def test_the_proposed_rule_is_put_in_force_as_it_is(
    client: Any, viewer: httpx.AsyncClient, nuisance: None
) -> None:
    rule = (await viewer.get(f"/api/v1/alerts/advice?{RANGE}&limit=1")).json()["items"][0]["proposal"]["rule"]
    body = {"rule": rule, "reason": "advised"}
    answer = await client("engineer").put("/api/v1/rules/hot", json=body, headers={"If-Match": '"0"'})
    assert answer.status_code == 200, answer.text
    assert answer.json()["scope"] == "device=pju-1"
    again = (await viewer.get(f"/api/v1/alerts/advice?{RANGE}&limit=1")).json()["items"][0]
    assert again["before"]["alerts"] == 1
    assert again["proposal"] is None


async def test_a_sensor_that_is_broken_is_said_to_be(
    viewer: httpx.AsyncClient, nuisance: None, db: psycopg.Connection
) -> None:
    db.execute("UPDATE reading_streetlight SET qc = 3 WHERE ts < %s", (T0 + timedelta(minutes=100),))
    first = (await viewer.get(f"/api/v1/alerts/advice?{RANGE}")).json()["items"][0]
    assert first["proposal"] is None
    assert first["sentence"]["en"] == "Sensor fault? 83 % of the readings are suspect"


async def test_of_too_many_readings_the_newest_count(viewer: httpx.AsyncClient, nuisance: None, app: Any) -> None:
    app.state.context = app.state.context._replace(
        settings=app.state.context.settings.model_copy(update={"advice_readings_max": 300})
    )
    first = (await viewer.get(f"/api/v1/alerts/advice?{RANGE}&limit=1")).json()["items"][0]
    assert first["readings"] == 300
    assert first["from"] == "2026-11-24T13:09:59.999000Z"


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("from=-32d", "from", "SIAGA_ADVICE_DAYS_MAX"),
        ("limit=11", "limit", "SIAGA_ADVICE_ACTORS_MAX"),
        ("from=-1h&to=-1h", "from", "SIAGA_ADVICE_DAYS_MAX"),
    ],
)
async def test_what_is_refused(viewer: httpx.AsyncClient, query: str, field: str, words: str) -> None:
    answer = await viewer.get(f"/api/v1/alerts/advice?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert words in answer.text


async def test_one_at_a_time(viewer: httpx.AsyncClient, nuisance: None, db: psycopg.Connection) -> None:
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(x'7369616761206472'::bigint)")
        answer = await viewer.get(f"/api/v1/alerts/advice?{RANGE}")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


async def test_nothing_to_advise_on(viewer: httpx.AsyncClient) -> None:
    assert (await viewer.get("/api/v1/alerts/advice")).json()["items"] == []
