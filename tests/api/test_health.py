"""Is the process alive, is the installation ready, what does it count."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api import metrics, shapes
from runtime.settings import Settings
from storage import parts
from storage.connect import connect_async

PARTS = ("api", "broker", "database", "ingest", "simulator", "worker")


async def ready(client: httpx.AsyncClient) -> tuple[int, dict[str, dict[str, Any]]]:
    """Status, and the parts by name."""
    answer = await client.get("/readyz")
    body = shapes.Ready.model_validate_json(answer.content)
    assert answer.headers["content-type"] == "application/json"
    assert body.status == ("ready" if answer.status_code == 200 else "not ready")
    assert ("retry-after" in answer.headers) == (answer.status_code != 200)
    return answer.status_code, {part["name"]: part for part in answer.json()["parts"]}


@pytest.fixture
def all_up(db: psycopg.Connection) -> None:
    for name in PARTS:
        parts.beat(db, name, "up", f"{name} works")


@pytest.fixture
def nobody(client: Any) -> httpx.AsyncClient:
    made: httpx.AsyncClient = client(None)
    return made


async def test_alive(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_not_ready_while_nobody_has_said_anything(nobody: httpx.AsyncClient) -> None:
    assert await ready(nobody) == (503, {})


async def test_ready_when_every_part_is(nobody: httpx.AsyncClient, all_up: None) -> None:
    status, listed = await ready(nobody)
    assert status == 200
    assert tuple(listed) == PARTS
    assert listed["broker"]["detail"] == "broker works"
    assert all(part["beat_at"].endswith("Z") for part in listed.values())


@pytest.mark.parametrize("state", ["starting", "degraded", "restarting", "down"])
async def test_one_part_that_is_not_up_is_enough(
    nobody: httpx.AsyncClient, all_up: None, db: psycopg.Connection, state: parts.State
) -> None:
    parts.beat(db, "worker", state, "why")
    status, listed = await ready(nobody)
    assert status == 503
    assert {name: part["state"] for name, part in listed.items() if part["state"] != "up"} == {"worker": state}
    assert listed["worker"]["detail"] == "why"
    parts.beat(db, "worker", "up")
    assert (await ready(nobody))[0] == 200


async def test_numbers_of_a_part(nobody: httpx.AsyncClient, all_up: None, settings: Settings) -> None:
    async with await connect_async(settings.database_url.get_secret_value(), "test") as conn:  # type: ignore[union-attr]
        await parts.beat_async(conn, "ingest", parts.How("up", "3.0 packets/s", {"lag_s": 0.04, "held_packets": 2}))
        await parts.beat_async(conn, "worker", parts.How("up", facts={"broker_held_messages": None}))
    _, listed = await ready(nobody)
    assert listed["ingest"]["facts"] == {"lag_s": 0.04, "held_packets": 2}
    assert listed["worker"]["facts"] == {"broker_held_messages": None}
    assert listed["broker"]["facts"] == {}


async def test_a_part_that_says_nothing_any_more(
    nobody: httpx.AsyncClient, all_up: None, db: psycopg.Connection
) -> None:
    db.execute("UPDATE part SET beat_at = now() - make_interval(secs => %s) WHERE name = 'ingest'", (parts.FRESH_S,))
    status, listed = await ready(nobody)
    assert status == 503
    assert listed["ingest"]["beat_at"] < min(part["beat_at"] for name, part in listed.items() if name != "ingest")


async def test_a_part_that_ends_on_purpose_is_not_missed(
    nobody: httpx.AsyncClient, all_up: None, db: psycopg.Connection
) -> None:
    parts.beat(db, "simulator", "down")
    parts.leave(db, "simulator")
    status, listed = await ready(nobody)
    assert status == 200
    assert "simulator" not in listed
    parts.keep_only(db, ["api", "database"])
    assert tuple((await ready(nobody))[1]) == ("api", "database")


async def test_metrics_are_what_prometheus_reads(nobody: httpx.AsyncClient) -> None:
    await nobody.get("/healthz")
    answer = await nobody.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    for family in families.values():
        assert family.documentation.strip(), f"{family.name} has no help"
        assert family.type in ("counter", "gauge", "histogram"), family.name
    answered = families["siaga_api_requests"].samples
    assert any(s.labels == {"method": "GET", "route": "/healthz", "status": "200"} for s in answered)
    assert {s.labels["event"] for s in families["siaga_api_live_events"].samples if "event" in s.labels} == {
        "alert",
        "latest",
        "command",
        "presence",
        "beat",
    }


def test_metrics_of_ours_are_named_alike() -> None:
    ours = [family for family in metrics.REGISTRY.collect() if not family.name.startswith("process_")]
    assert len(ours) >= 7
    for family in ours:
        assert family.name.startswith("siaga_api_")
        assert family.documentation.endswith(".")


async def test_labels_do_not_grow_with_what_clients_invent(
    nobody: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    for number in range(5):
        await nobody.get(f"/nothing/{number}")
        await viewer.get(f"/api/v1/devices/x{number}")
        await nobody.request(f"INVENT{number}", "/healthz")
    text = (await nobody.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    labels = [s.labels for s in families["siaga_api_requests"].samples]
    assert not any("nothing" in s["route"] or "x1" in s["route"] for s in labels)
    assert {s["method"] for s in labels} <= {"GET", "HEAD", "POST", "PUT", "DELETE", "other"}
    assert "none" in {s["route"] for s in labels}
