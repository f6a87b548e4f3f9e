"""Commands, lives and who is connected, over the real API: who may, what is refused, and that a repeat does nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from api import command_shapes

LAMP, GAUGE = "/api/v1/devices/lamp/commands", "/api/v1/devices/wl-1/commands"
DIM = {"name": "dim", "args": {"level_pct": 50}}


@pytest.fixture(autouse=True)
def fleet(town: Any) -> None:
    for number in (1, 2, 3):
        town.device("lamp" if number == 1 else f"lamp-{number}", attributes={"panel": "P-01" if number < 3 else "P-02"})
    town.gauge("wl-1")
    town.device("lane", "traffic")


async def told(client: httpx.AsyncClient, path: str, body: Any, status: int = 201, **more: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body, **more)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_command_is_queued_and_shown(operator: httpx.AsyncClient, db: psycopg.Connection) -> None:
    made = await told(operator, LAMP, DIM | {"reason": "hemat", "timeout_s": 60})
    command_shapes.Command.model_validate(made)
    assert (made["state"], made["args"], made["who"], made["reason"]) == (
        "queued", {"level_pct": 50.0}, "a operator", "hemat",
    )  # fmt: skip
    begin, end = (datetime.fromisoformat(made[name]) for name in ("made_at", "expires_at"))
    assert end - begin == timedelta(seconds=60)
    listed = (await operator.get(LAMP)).json()["items"]
    assert listed == [made]
    assert (await operator.get("/api/v1/commands", params={"batch": made["batch"]})).json()["items"] == [made]
    assert (await operator.get(f"{LAMP}?state=done")).json()["items"] == []
    details = db.execute("SELECT what, subject, details FROM audit WHERE what = 'command.asked'").fetchone()
    assert details is not None
    assert details[:2] == ("command.asked", "lamp")
    assert details[2] | {"name": "dim", "args": {"level_pct": 50.0}, "reason": "hemat"} == details[2]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (LAMP, {"name": "dim", "args": {"level_pct": 101}}, "args.level_pct"),
        (LAMP, {"name": "dim"}, "args.level_pct"),
        (LAMP, {"name": "interval", "args": {"interval_s": 60}}, "name"),
        (LAMP, DIM | {"timeout_s": 3601}, "timeout_s"),
        (LAMP, DIM | {"timeout_s": 0}, "timeout_s"),
        (LAMP, DIM | {"reason": "a\x00"}, "reason"),
        ("/api/v1/devices/lane/commands", DIM, "name"),
    ],
)
async def test_what_is_wrong_is_named(client: Any, db: Any, path: str, body: Any, field: str) -> None:
    refused = await told(client("engineer"), path, body, 422)
    assert refused["errors"][0]["field"] == field
    assert db.execute("SELECT count(*) FROM command").fetchone() == (0,)


async def test_an_operator_tells_lamps_and_an_engineer_gauges_too(client: Any, operator: httpx.AsyncClient) -> None:
    interval = {"name": "interval", "args": {"interval_s": 60}}
    await told(client("viewer"), LAMP, DIM, 403)
    assert "engineer" in (await told(operator, GAUGE, interval, 403))["detail"]
    await told(client("engineer"), GAUGE, interval)
    await told(operator, "/api/v1/devices/nobody/commands", DIM, 404)


async def test_the_same_key_does_it_once(operator: httpx.AsyncClient) -> None:
    once = {"headers": {"Idempotency-Key": "once"}}
    made = await told(operator, LAMP, DIM, **once)
    assert await told(operator, LAMP, DIM, 200, **once) == made
    refused = await told(operator, LAMP, {"name": "switch", "args": {"state": "off"}}, 422, **once)
    assert refused["errors"][0]["field"] == "Idempotency-Key"


async def test_a_device_that_does_not_answer_is_not_told_for_ever(operator: httpx.AsyncClient, db: Any) -> None:
    for _ in range(10):
        await told(operator, LAMP, DIM)
    refused = await told(operator, LAMP, DIM, 409)
    assert refused["current"] == {"status": "in_service", "waiting": 10}
    assert db.execute("SELECT count(*) FROM command").fetchone() == (10,)


async def test_a_panel_is_told_as_one(client: Any, operator: httpx.AsyncClient, db: psycopg.Connection) -> None:
    engineer = client("engineer")
    body = {"kind": "streetlight", "scope": "panel", "group": "P-01", "name": "switch", "args": {"state": "off"}}
    await told(operator, "/api/v1/commands", body, 403)
    once = {"headers": {"Idempotency-Key": "once"}}
    made = await told(engineer, "/api/v1/commands", body, **once)
    assert made["devices"] == 2
    assert await told(engineer, "/api/v1/commands", body, **once) == made
    items = (await engineer.get("/api/v1/commands", params={"batch": made["batch"]})).json()["items"]
    assert {each["device_id"] for each in items} == {"lamp", "lamp-2"}
    await told(engineer, "/api/v1/commands", body | {"group": "P-99"}, 404)
    for wrong in ({"kind": "traffic"}, {"scope": "river"}, {"args": {}}):
        await told(engineer, "/api/v1/commands", body | wrong, 422)
    db.execute("UPDATE device SET status = 'retired' WHERE id = 'lamp-2'")
    assert (await told(engineer, "/api/v1/commands", body))["devices"] == 1


async def test_a_life_has_dates_and_a_retired_device_is_told_nothing(client: Any, operator: httpx.AsyncClient) -> None:
    engineer, path = client("engineer"), "/api/v1/devices/lamp/life"
    await told(operator, path, {"status": "retired", "reason": "x"}, 403)
    await told(engineer, path, {"status": "gone", "reason": "x"}, 422)
    ahead = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    await told(engineer, path, {"status": "planned", "reason": "belum dipasang"}, 200)
    steps = await told(engineer, path, {"status": "in_service", "from": ahead, "reason": "pemasangan"}, 200)
    command_shapes.Life.model_validate(steps)
    assert [each["status"] for each in steps["items"]] == ["in_service", "planned"]
    assert (await operator.get("/api/v1/devices/lamp")).json()["status"] == "planned"
    await told(operator, LAMP, DIM)  # to try it out before
    await told(engineer, path, {"status": "retired", "reason": "diganti"}, 200)
    assert (await told(operator, LAMP, DIM, 409))["current"]["status"] == "retired"


async def test_work_on_a_device_is_its_state(operator: httpx.AsyncClient) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await told(operator, "/api/v1/windows", {"scope": "device", "name": "lamp", "to": ahead, "reason": "kabel"})
    assert (await operator.get("/api/v1/devices/lamp")).json()["status"] == "maintenance"
    states = {each["id"]: each["status"] for each in (await operator.get("/api/v1/devices")).json()["items"]}
    assert states["lamp-2"] == "in_service"


async def test_who_is_connected_is_shown_with_the_device(viewer: httpx.AsyncClient, db: psycopg.Connection) -> None:
    assert (await viewer.get("/api/v1/devices/lamp")).json()["presence"] is None
    db.execute("INSERT INTO presence VALUES ('lamp', false, now(), now(), 3)")
    shown = (await viewer.get("/api/v1/devices/lamp")).json()["presence"]
    assert (shown["online"], shown["changes"]) == (False, 3)


async def test_what_a_device_belonged_to_is_told(viewer: httpx.AsyncClient, db: psycopg.Connection) -> None:
    db.execute("UPDATE device SET attributes = '{\"panel\": \"P-09\"}' WHERE id = 'lamp'")
    told = (await viewer.get("/api/v1/devices/lamp/history")).json()
    command_shapes.History.model_validate(told)
    assert [each["attributes"]["panel"] for each in told["items"]] == ["P-09", "P-01"]


async def test_the_page_follows_commands_and_who_comes_and_goes(
    operator: httpx.AsyncClient, streams: Any, db: psycopg.Connection
) -> None:
    stream = await streams()
    made = await told(operator, LAMP, DIM)
    _, event, event_id = await stream.next("command")
    assert (event["id"], event["state"], event["kind"], event_id) == (made["id"], "queued", "streetlight", None)
    db.execute("UPDATE command SET state = 'done', ended_at = now(), changed_at = clock_timestamp()")
    assert (await stream.next("command"))[1]["state"] == "done"
    db.execute("INSERT INTO presence VALUES ('lamp', true, now(), now(), 0)")
    _, event, _ = await stream.next("presence")
    assert (event["device_id"], event["presence"]["online"]) == ("lamp", True)


async def test_who_asks_for_other_topics_is_not_told(operator: httpx.AsyncClient, streams: Any) -> None:
    stream = await streams(query="topic=beat,presence")
    await told(operator, LAMP, DIM)
    await stream.next("beat")
    assert (await stream.next("beat", "command"))[0] == "beat"
