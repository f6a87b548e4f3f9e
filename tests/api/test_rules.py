"""Rules over HTTP: what is in force, changing it with a reason, exact refusals, and a dry-run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from alerts.rule import shipped
from api import rule_shapes as shapes
from tests.api.conftest import SEEN

LOW = next(rule for rule in shipped() if rule.id == "voltage_low").model_dump(mode="json", exclude_none=True)
HOT = {
    "kind": "streetlight", "condition": "above", "metric": "temperature_c", "level": [{"severity": 1, "bound": 80}],
}  # fmt: skip
RULES = "/api/v1/rules"


@pytest.fixture
def engineer(client: Any) -> httpx.AsyncClient:
    made: httpx.AsyncClient = client("engineer")
    return made


async def put(engineer: httpx.AsyncClient, rule: dict[str, Any], name: str = "hot", tag: str = "*") -> httpx.Response:
    body = {"rule": rule, "reason": "wet season"}
    return await engineer.put(f"{RULES}/{name}", json=body, headers={"If-Match": tag})


async def test_the_shipped_rules_are_in_force(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get(RULES)
    shapes.Rules.model_validate_json(answer.content)
    items = answer.json()["items"]
    assert [(each["id"], each["kind"]) for each in items] == [(rule.id, rule.kind) for rule in shipped()]
    assert {(each["origin"], each["version"], each["scope"]) for each in items} == {("shipped", 0, "")}
    traffic = (await viewer.get(f"{RULES}?kind=traffic")).json()["items"]
    assert {each["id"] for each in traffic} == {
        "congestion", "stopped", "loop_fault", "sensor_fault", "stale", "gateway_silent",
    }  # fmt: skip


async def test_a_rule_of_ones_own_is_put_in_force_and_changed(
    engineer: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    answer = await put(engineer, HOT, tag='"0"')
    assert answer.status_code == 200, answer.text
    shapes.RuleInForce.model_validate_json(answer.content)
    first = answer.json()
    assert answer.headers["ETag"] == f'"{first["version"]}"'
    told = {name: first[name] for name in ("id", "origin", "changed_by", "reason")}
    assert told == {"id": "hot", "origin": "stored", "changed_by": "a engineer", "reason": "wet season"}
    assert (await put(engineer, HOT, tag='"0"')).status_code == 412
    second = await put(engineer, {**HOT, "enabled": False}, tag=answer.headers["ETag"])
    assert second.json()["enabled"] is False
    shown = await viewer.get(f"{RULES}/hot")
    shapes.RuleWithHistory.model_validate_json(shown.content)
    versions = [each["version"] for each in shown.json()["history"]]
    assert versions == [second.json()["version"], first["version"]]


async def test_an_override_of_one_panel_stands_beside_the_shipped_rule(
    engineer: httpx.AsyncClient, viewer: httpx.AsyncClient, town: Any
) -> None:
    town.device("pju-1", attributes={"panel": "P1"})
    town.device("pju-2")
    own = {**LOW, "scope": {"panel": "P1"}, "hysteresis": 5}
    assert (await put(engineer, own, "voltage_low")).status_code == 200
    for device, hysteresis, scope in (("pju-1", 5, "panel=P1"), ("pju-2", 2, "")):
        items = (await viewer.get(f"{RULES}?device={device}")).json()["items"]
        found = [(each["rule"]["hysteresis"], each["scope"]) for each in items if each["id"] == "voltage_low"]
        assert found == [(hysteresis, scope)]
        assert "stopped" not in {each["id"] for each in items}, "a rule of another kind"
    assert (await viewer.get(f"{RULES}?device=pju-9")).status_code == 404


async def test_given_back_the_shipped_rule_is_in_force(engineer: httpx.AsyncClient) -> None:
    await put(engineer, {**LOW, "hysteresis": 5}, "voltage_low")
    address, headers = f"{RULES}/voltage_low?kind=streetlight&reason=enough", {"If-Match": "*"}
    answer = await engineer.delete(address, headers=headers)
    shapes.GivenBack.model_validate_json(answer.content)
    now = answer.json()["now"]
    assert (now["origin"], now["rule"]["hysteresis"], now["version"]) == ("shipped", 2, answer.json()["version"])
    assert (await engineer.delete(address, headers=headers)).status_code == 404
    assert (await engineer.delete(address, headers={"If-Match": '"0"'})).status_code == 412
    assert (await engineer.delete(address)).status_code == 428
    assert (await put(engineer, HOT)).status_code == 200
    gone = await engineer.delete(f"{RULES}/hot?kind=streetlight&reason=enough", headers=headers)
    assert gone.json()["now"] is None


@pytest.mark.parametrize(
    ("rule", "fields", "words"),
    [
        ({**HOT, "metric": "heat"}, ["rule.metric"], "temperature_c"),
        ({**HOT, "level": [{"severity": 4, "bound": 1}]}, ["rule.level.0.severity"], "3"),
        ({**HOT, "level": [{"severity": 1}]}, ["rule.level.0"], "bound"),
        ({**HOT, "hysteresis": -1, "delay_off_s": 1e9}, ["rule.hysteresis", "rule.delay_off_s"], "604800"),
        ({**HOT, "scope": {"river": "Silau"}}, ["rule.scope.river"], "panel"),
        ({**HOT, "id": "cold"}, ["rule.id"], "hot"),
        ({**HOT, "colour": "red"}, ["rule.colour"], "permitted"),
    ],
)
async def test_a_wrong_rule_is_refused_by_field_and_limit(
    engineer: httpx.AsyncClient, rule: dict[str, Any], fields: list[str], words: str
) -> None:
    answer = await put(engineer, rule)
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == fields
    assert words in answer.text


async def test_a_reason_a_version_and_a_role_are_needed(
    engineer: httpx.AsyncClient, operator: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    for body in ({"rule": HOT}, {"rule": HOT, "reason": "  "}):
        answer = await engineer.put(f"{RULES}/hot", json=body, headers={"If-Match": "*"})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "reason")
    assert (await engineer.put(f"{RULES}/hot", json={"rule": HOT, "reason": "x"})).status_code == 428
    assert (await put(engineer, HOT, tag="new")).status_code == 422
    assert (await put(operator, HOT)).status_code == 403
    assert (await viewer.post(f"{RULES}/dry-run", json={"from": "-1d"})).status_code == 403
    assert (await viewer.get(f"{RULES}/nothing")).status_code == 404
    assert (await viewer.get(f"{RULES}/No")).status_code == 422


@pytest.fixture
def sagging(town: Any) -> None:
    """Twelve lamps whose voltage sags for 20 min."""
    for number in range(12):
        town.device(f"pju-{number}")
        for minute, volts in enumerate((220, 190, 190, 190, 190, 220, 220, 220, 220)):
            town.reading(f"pju-{number}", "streetlight", SEEN + timedelta(minutes=5 * minute), voltage_v=volts)


async def run(engineer: httpx.AsyncClient, **more: Any) -> httpx.Response:
    window = {"from": "2026-11-20T11:00:00Z", "to": "2026-11-20T13:00:00Z"}
    return await engineer.post(f"{RULES}/dry-run", json=window | more)


@pytest.mark.usefixtures("sagging")
async def test_a_dry_run_tells_what_a_candidate_would_have_made_of_it(engineer: httpx.AsyncClient) -> None:
    slower = {**LOW, "level": [{"severity": 1, "bound": 198, "delay_on_s": 1800}]}
    answer = await run(engineer, rules=[slower])
    assert answer.status_code == 200, answer.text
    shapes.DryRunAnswer.model_validate_json(answer.content)
    told = answer.json()
    assert (told["devices"], told["readings"]) == (12, 108)
    assert (told["current"]["alerts"], told["current"]["floods"], told["current"]["transitions"]) == (12, 1, 24)
    assert len(told["current"]["top"]) == 10
    assert told["candidate"]["alerts"] == 0
    assert told["sentence"]["en"] == "would have raised 12 alerts, 1 flood; with the candidate: 0 alerts, 0 floods"
    assert told["days"] == [{"day": "2026-11-20", "current": 12, "candidate": 0}]
    assert told["short"] == {"current": 12, "candidate": 0}
    price = told["price"]
    assert (price["same"], price["counts"], price["severe"], price["later_s"]) == (0, {"lost": 12}, 0, None)
    assert len(price["named"]) == 12
    first = price["named"][0]
    assert (first["what"], first["rule"], first["severity"], first["after"]) == ("lost", "voltage_low", 1, None)
    assert first["before"] | {"begin": "", "end": ""} == {"begin": "", "end": "", "severity": 1}


@pytest.mark.usefixtures("sagging")
async def test_a_dry_run_says_what_comes_later(engineer: httpx.AsyncClient) -> None:
    slower = {**LOW, "level": [{"severity": 1, "bound": 198, "delay_on_s": 900}]}
    price = (await run(engineer, rules=[slower], devices=["pju-1"])).json()["price"]
    assert (price["counts"], price["later_s"]) == ({"later": 1}, 300)
    assert price["named"][0]["before"]["end"] == price["named"][0]["after"]["end"]


@pytest.mark.usefixtures("sagging")
async def test_a_dry_run_of_the_rules_in_force_and_of_some_devices(engineer: httpx.AsyncClient) -> None:
    answer = (await run(engineer, devices=["pju-3"], ids=["voltage_low"])).json()
    assert (answer["devices"], answer["candidate"], answer["current"]["by_rule"]) == (1, None, {"voltage_low": 1})
    assert (await run(engineer, rules=[{**LOW, "scope": {"device": "pju-3"}, "enabled": False}])).json()["candidate"][
        "alerts"
    ] == 11


@pytest.mark.usefixtures("sagging")
@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"from": "2020-01-01T00:00:00Z"}, "from", "SIAGA_DRY_RUN_DEVICE_DAYS_MAX"),
        ({"from": "2026-11-20T14:00:00Z"}, "from", "after"),
        ({"ids": ["nothing"]}, "ids", "nothing"),
        ({"devices": ["pju-3", "pju-99"]}, "devices", "of 2, 1"),
        ({"rules": [{**LOW, "metric": "heat"}]}, "rules.0.metric", "voltage_v"),
        ({"since": "-1d"}, "since", "permitted"),
    ],
)
async def test_a_dry_run_that_is_refused(
    engineer: httpx.AsyncClient, asked: dict[str, Any], field: str, words: str
) -> None:
    answer = await run(engineer, **asked)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert words in answer.text


async def test_one_dry_run_at_a_time(engineer: httpx.AsyncClient, db: psycopg.Connection) -> None:
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(x'7369616761206472'::bigint)")
        answer = await run(engineer)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
