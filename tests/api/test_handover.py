"""Handing a shift over: what is told, who signs, what blocks it, and that nobody changes what is signed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from api import handover_shapes
from storage import keys
from storage.as_json import time_text

ADDRESS = "/api/v1/handover"
NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def second(client: Any, db: psycopg.Connection) -> Any:
    """Another operator, who takes over."""
    db.execute("INSERT INTO api_key (name, digest, role) VALUES ('ana', %s, 'operator')", (keys.digest("key-of-ana"),))
    made = client(None)
    made.headers["Authorization"] = "Bearer key-of-ana"
    return made


@pytest.fixture
def night(town: Any, db: psycopg.Connection) -> dict[str, int]:
    """A river at Siaga 2 that nobody has acknowledged, a lamp that is out, one on the shelf, one that is silent."""
    bounds = {"siaga_3_m": 2.0, "siaga_2_m": 2.5, "siaga_1_m": 3.0, "river": "Silau"}
    town.gauge("kisaran", name="Kisaran Barat", attributes=bounds | {"upstream": "buntu-pane"})
    town.gauge("buntu-pane", attributes=bounds)
    town.device("lamp", name="Lampu 7")
    town.device("dark")
    town.latest("kisaran", "water_level", NOW - 2 * MINUTE, level_m=2.69)
    town.latest("buntu-pane", "water_level", NOW - 2 * MINUTE, level_m=2.1, qc=3)
    town.latest("dark", "streetlight", NOW - 300 * MINUTE, power_w=0)
    for minutes, level in ((90, 2.2), (60, 3.1), (30, 2.7)):
        at = (NOW - minutes * MINUTE).replace(second=0)
        at -= timedelta(minutes=at.minute % 5)
        town.rollup("water_level", "5m", "kisaran", at, level_m_max=level)
    raised = {"raised_at": NOW - 50 * MINUTE, "detected_at": NOW - 50 * MINUTE}
    river = town.alert("kisaran", "siaga", 2, kind="water_level", metric="level_m", siaga=2, value=2.69, **raised)
    town.transition(river, to_severity=2, detected_at=NOW - 50 * MINUTE)
    acked = town.alert("lamp", acked=True, acked_by="a operator", **raised)
    town.transition(acked, detected_at=NOW - 50 * MINUTE)
    acked_at = {"event_at": NOW - 45 * MINUTE, "detected_at": NOW - 45 * MINUTE}
    town.transition(acked, "acked", who="a operator", from_severity=0, **acked_at)
    shelved = town.alert(
        "lamp", "low_power", shelved_until=NOW + 60 * MINUTE, shelved_by="ana", shelved_why="part", **raised
    )
    silent = town.alert("dark", "stale", acked=True, metric=None, **raised)
    town.alert("dark", "lamp_out", historical=True, **raised)
    hour = NOW.replace(minute=0, second=0) - timedelta(hours=2)
    db.execute("INSERT INTO ledger (device_id, hour, received, stored) VALUES ('lamp', %s, 6, 6)", (hour,))
    db.execute("INSERT INTO ledger_missing VALUES ('lamp', %s, 2)", (hour,))
    return {"river": river, "acked": acked, "shelved": shelved, "silent": silent}


async def test_the_draft_tells_what_the_system_knows(operator: Any, night: dict[str, int]) -> None:
    answer = await operator.get(f"{ADDRESS}/draft")
    assert answer.status_code == 200, answer.text
    handover_shapes.Draft.model_validate_json(answer.content)
    told = answer.json()
    ((silau),) = told["rivers"]
    assert [(each["device_id"], each["siaga"], each["qc"]) for each in silau["gauges"]] == [
        ("buntu-pane", 3, 3),
        ("kisaran", 2, 1),
    ]
    peak = silau["gauges"][1]["peak"]
    assert (peak["level_m"], peak["siaga"]) == (3.1, 1)
    assert silau["gauges"][0]["peak"] is None
    assert [each["id"] for each in told["open"]["items"]] == [night["river"], night["acked"], night["silent"]]
    assert (told["open"]["count"], told["unacked"]) == (3, 1)
    assert [each["id"] for each in told["shelved"]["items"]] == [night["shelved"]]
    degraded = told["degraded"]
    assert [each["device_id"] for each in degraded["silent"]["items"]] == ["dark"]
    assert [(each["device_id"], each["qc"]) for each in degraded["suspect"]["items"]] == [("buntu-pane", 3)]
    (lamp,) = degraded["incomplete"]["items"]
    assert (lamp["device_id"], lamp["missing"], lamp["stored"], lamp["completeness"]) == ("lamp", 2, 6, 0.75)
    assert (told["shift"]["raised"], told["shift"]["acknowledged"], told["shift"]["median_s"]) == (2, 1, 300.0)
    assert told["on_duty"] == []


async def test_two_people_sign(
    client: Any, operator: Any, second: Any, night: dict[str, int], db: psycopg.Connection
) -> None:
    assert (await client("viewer").post(ADDRESS, json={"notes": ""})).status_code == 403
    given = await operator.post(ADDRESS, json={"notes": "40 KK pindah ke masjid"})
    assert (given.status_code, given.headers["etag"]) == (201, '"1"'), given.text
    handover_shapes.HandoverTold.model_validate_json(given.content)
    made = given.json()
    assert (made["state"], made["given_by"], made["taken_by"]) == ("given", "a operator", None)
    sign = f"{ADDRESS}/{made['id']}/sign"
    assert (await second.post(sign)).status_code == 428
    blocked = await second.post(sign, headers={"If-Match": '"1"'})
    assert blocked.status_code == 409
    assert [each["id"] for each in blocked.json()["current"]["unacknowledged"]] == [night["river"]]
    await second.post(f"/api/v1/alerts/{night['river']}/ack", headers={"If-Match": "*"})
    twice = await operator.post(sign, headers={"If-Match": '"1"'}, json={"reason": "alone"})
    assert twice.status_code == 409
    assert "somebody else takes over" in twice.json()["detail"]
    assert (await second.post(sign, headers={"If-Match": '"2"'})).status_code == 412
    taken = await second.post(sign, headers={"If-Match": '"1"'})
    assert (taken.status_code, taken.headers["etag"]) == (200, '"2"'), taken.text
    done = taken.json()
    assert (done["state"], done["taken_by"], done["reason"], done["unacknowledged"]) == ("taken", "ana", None, [])
    assert done["changed"] == [
        {"part": "open", "id": str(night["river"]), "what": "changed", "fields": ["acked"]},
    ]
    assert done["draft"] == made["draft"]
    assert (await second.post(sign, headers={"If-Match": "*"})).status_code == 409
    assert (await operator.get(f"{ADDRESS}/{made['id']}")).json() == done
    lines = db.execute("SELECT who, what, subject FROM audit WHERE what LIKE 'handover.%' ORDER BY id").fetchall()
    assert lines == [("a operator", "handover.given", str(made["id"])), ("ana", "handover.taken", str(made["id"]))]
    after = (await operator.get(f"{ADDRESS}/draft")).json()
    assert after["from"] == made["given_at"]


async def test_an_admin_who_is_alone_says_why(client: Any, night: dict[str, int]) -> None:
    admin = client("admin")
    await admin.post(f"/api/v1/alerts/{night['river']}/ack", headers={"If-Match": "*"})
    number = (await admin.post(ADDRESS, json={})).json()["id"]
    sign = f"{ADDRESS}/{number}/sign"
    assert (await admin.post(sign, headers={"If-Match": "*"})).status_code == 409
    taken = await admin.post(sign, headers={"If-Match": "*"}, json={"reason": "one person at night"})
    assert taken.status_code == 200, taken.text
    assert taken.json()["reason"] == "one person at night"


async def test_a_later_one_takes_its_place(operator: Any, second: Any) -> None:
    first, later = [(await operator.post(ADDRESS, json={"notes": str(n)})).json()["id"] for n in (1, 2)]
    answer = await second.post(f"{ADDRESS}/{first}/sign", headers={"If-Match": "*"})
    assert (answer.status_code, answer.json()["current"]["newest"]) == (409, False)
    assert (await second.post(f"{ADDRESS}/{later}/sign", headers={"If-Match": "*"})).status_code == 200
    page = (await operator.get(ADDRESS, params={"limit": 1})).json()
    handover_shapes.Handovers.model_validate(page)
    assert [(each["id"], each["notes"], each["state"]) for each in page["items"]] == [(later, "2", "taken")]
    rest = (await operator.get(ADDRESS, params={"cursor": page["next_cursor"]})).json()
    assert [each["id"] for each in rest["items"]] == [first]


async def test_what_is_signed_stays(operator: Any, second: Any, db: psycopg.Connection) -> None:
    number = (await operator.post(ADDRESS, json={})).json()["id"]
    await second.post(f"{ADDRESS}/{number}/sign", headers={"If-Match": "*"})
    for statement in (
        "UPDATE handover SET notes = 'x'",
        "DELETE FROM handover_taken",
        "TRUNCATE handover CASCADE",
        "UPDATE handover_taken SET taken_by = 'x'",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(statement)


@pytest.mark.parametrize("begin", ["-900d", "2999-01-01T00:00:00Z", "now"])
async def test_a_shift_has_begun_and_not_long_ago(operator: Any, begin: str) -> None:
    answer = await operator.get(f"{ADDRESS}/draft", params={"from": begin})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "from"


async def test_the_shift_begins_where_one_says(operator: Any) -> None:
    begin = time_text(NOW - timedelta(hours=3))
    assert (await operator.post(ADDRESS, json={"from": begin})).json()["draft"]["from"] == begin
    assert (await operator.post(ADDRESS, json={"from": "0001-01-01T00:00:00+14:00"})).status_code == 422
    assert (await operator.post(ADDRESS, json={"notes": "\x00"})).status_code == 422
    assert (await operator.get(f"{ADDRESS}/4711")).status_code == 404
