"""Messages to people over the API: what was sent to whom, dead letters sent after all, the plan and the roster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from api import notice_shapes, shapes
from runtime.settings import Settings
from storage.as_json import time_text

MADE = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLAN = """
channel = [{ name = "chat", url = "tgram://geheim-token/chat" }]
person = [{ name = "Rudi", channels = ["chat"] }, { name = "Sari", channels = ["chat"], language = "en" }]
team = [{ name = "bpbd", fallback = ["Sari"] }]
[[route]]
name = "river"
kinds = ["water_level"]
quiet = { from = "22:00", until = "05:00" }
continue = true
steps = [{ to = ["duty:bpbd"] }]
"""


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "plan.toml").write_text(PLAN)
    return settings.model_copy(update={"notice_plan": str(tmp_path / "plan.toml")})


def told(db: psycopg.Connection, alert: int, who: str = "Rudi", **more: Any) -> int:
    """A message, as the worker writes it."""
    values = {"made_at": MADE, "sent_at": None, "gave_up": False, "tries": 0, "error": None} | more
    row = db.execute(
        "INSERT INTO delivery (made_at, who, channel, language, route, group_key, step, what, severity, title, body,"
        " tries, sent_at, gave_up, error) VALUES (%(made_at)s, %(who)s, 'chat', 'id', 'river', '', 0, 'raised', 2,"
        " 'Buntu Pane naik ke Siaga 2', 'Siaga 2', %(tries)s, %(sent_at)s, %(gave_up)s, %(error)s) RETURNING id",
        values | {"who": who},
    ).fetchone()
    assert row
    db.execute("INSERT INTO delivery_alert VALUES (%s, %s)", (alert, row[0]))
    return int(row[0])


async def test_what_was_sent_to_whom(viewer: httpx.AsyncClient, town: Any, db: psycopg.Connection) -> None:
    town.gauge()
    first, second = town.alert("buntu-pane"), town.alert("buntu-pane", rule="stale")
    sent = told(db, first, sent_at=MADE, tries=1)
    failed = told(db, first, who="Sari", tries=2, error="503")
    dead = told(db, second, gave_up=True, tries=19, error="404", made_at=MADE + timedelta(hours=1))
    waiting = told(db, second, made_at=MADE + timedelta(hours=1))

    async def ids(**query: Any) -> list[int]:
        answer = await viewer.get("/api/v1/notices", params=query)
        assert answer.status_code == 200, answer.text
        notice_shapes.Notices.model_validate_json(answer.content)
        return [each["id"] for each in answer.json()["items"]]

    assert await ids() == [waiting, dead, failed, sent]
    assert await ids(state="sent") == [sent]
    assert await ids(state="failed") == [failed]
    assert await ids(state="dead") == [dead]
    assert await ids(state="waiting") == [waiting]
    assert await ids(alert=first) == [failed, sent]
    assert await ids(person="Sari") == [failed]
    assert await ids(since=time_text(MADE + timedelta(minutes=1))) == [waiting, dead]
    page = (await viewer.get("/api/v1/notices", params={"limit": 3})).json()
    assert await ids(limit=3, cursor=page["next_cursor"]) == [sent]
    alert = await viewer.get(f"/api/v1/alerts/{first}")
    shapes.AlertWithHistory.model_validate_json(alert.content)
    assert [(each["who"], each["state"], each["alerts"]) for each in alert.json()["notices"]] == [
        ("Rudi", "sent", [first]), ("Sari", "failed", [first]),
    ]  # fmt: skip


async def test_a_dead_letter_is_sent_after_all(client: Any, town: Any, db: psycopg.Connection) -> None:
    town.gauge()
    dead = told(db, town.alert("buntu-pane"), gave_up=True, tries=19, error="404")
    address = f"/api/v1/notices/{dead}/retry"
    assert (await client("viewer").post(address)).status_code == 403
    answer = await client("operator").post(address)
    assert answer.status_code == 200, answer.text
    shapes.Notice.model_validate_json(answer.content)
    assert answer.json()["state"] == "failed"
    jobs = db.execute("SELECT task_name, args, status::text FROM procrastinate_jobs").fetchall()
    assert jobs == [("deliver", {"delivery_id": dead}, "todo")]
    again = await client("operator").post(address)
    assert (again.status_code, again.json()["current"]["id"]) == (409, dead)
    assert (await client("operator").post("/api/v1/notices/4711/retry")).status_code == 404


async def test_the_plan_without_its_secrets(viewer: httpx.AsyncClient, settings: Settings) -> None:
    answer = await viewer.get("/api/v1/notices/plan")
    notice_shapes.NoticePlan.model_validate_json(answer.content)
    assert "geheim" not in answer.text
    told = answer.json()
    assert told["channels"] == [{"name": "chat", "source": "url"}]
    assert told["routes"][0]["quiet"] == {"from": "22:00", "until": "05:00", "below_severity": 2}
    Path(settings.notice_plan or "").write_text("[[rout]]")  # noqa: ASYNC240
    broken = await viewer.get("/api/v1/notices/plan")
    assert (broken.status_code, "rout: a plan holds" in broken.json()["detail"]) == (503, True)


def later(hours: float) -> str:
    return time_text(datetime.now(UTC) + timedelta(hours=hours))


async def test_a_shift_from_beginning_to_end(client: Any) -> None:
    operator = client("operator")
    assert (await client("viewer").post("/api/v1/duty", json={})).status_code == 403
    made = await operator.post("/api/v1/duty", json={"team": "bpbd", "person": "Rudi", "to": later(8)})
    assert made.status_code == 201, made.text
    notice_shapes.Shift.model_validate_json(made.content)
    shift = made.json()
    assert (shift["state"], shift["who"]) == ("standing", "a operator")
    planned = await operator.post(
        "/api/v1/duty", json={"team": "bpbd", "person": "Sari", "from": later(8), "to": later(16)}
    )
    for state, which in {"standing": [shift], "to come": [planned.json()], "over": []}.items():
        answer = await operator.get("/api/v1/duty", params={"state": state, "team": "bpbd"})
        notice_shapes.Shifts.model_validate_json(answer.content)
        assert answer.json()["items"] == which
    now = await operator.get("/api/v1/duty/now")
    notice_shapes.DutyNow.model_validate_json(now.content)
    assert now.json()["teams"] == [{"team": "bpbd", "on_duty": ["Rudi"], "told": ["Rudi"]}]
    ended = await operator.post(f"/api/v1/duty/{shift['id']}/end")
    assert (ended.json()["state"], ended.json()["ended_by"]) == ("over", "a operator")
    assert (await operator.post(f"/api/v1/duty/{shift['id']}/end")).status_code == 409
    assert (await operator.post("/api/v1/duty/4711/end")).status_code == 404
    now = await operator.get("/api/v1/duty/now")
    assert now.json()["teams"] == [{"team": "bpbd", "on_duty": [], "told": ["Sari"]}]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"team": "pu"}, "team: no team 'pu' in the notice plan"),
        ({"person": "Ani"}, "person: no person 'Ani' in the notice plan"),
        ({"to": "2026-01-01T00:00:00Z"}, "to: 2026-01-01T00:00:00+00:00 is not after"),
        ({"to": later(24 * 40)}, "to: more than 31 d after from (SIAGA_DUTY_MAX_DAYS)"),
    ],
)
async def test_what_is_no_shift(client: Any, wrong: dict[str, str], said: str) -> None:
    body = {"team": "bpbd", "person": "Rudi", "to": later(8)} | wrong
    answer = await client("operator").post("/api/v1/duty", json=body)
    assert (answer.status_code, answer.json()["detail"].startswith(said)) == (422, True), answer.text
