"""The audit log: every change made over the API leaves a line in its transaction, and no line is ever changed."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import psycopg
import pytest

from storage import keys
from tests.api.test_matrix import CHANGES, TABLE, ask
from tests.api.two_regencies import HOME, build, undo

# Not everything that is not GET changes something: a dry-run does not; readings are the ledger's; what was found to be
# without effect writes nothing.
# A handover cannot be signed while alerts wait: tests/api/test_handover.py has its line.
WITHOUT = {"POST /api/v1/rules/dry-run", "POST /api/v1/readings", "POST /api/v1/handover/{handover_id}/sign"}


@pytest.fixture
def home(town: Any, db: psycopg.Connection) -> Any:
    names, _ = build(town, db)
    yield names
    undo(db)


@pytest.fixture
def admin(client: Any) -> httpx.AsyncClient:
    made: httpx.AsyncClient = client("admin")
    return made


async def lines(admin: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await admin.get("/api/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_every_change_leaves_a_line(admin: httpx.AsyncClient, home: dict[str, str]) -> None:
    for name in CHANGES:
        if name in WITHOUT:
            continue
        answer = await ask(admin, name, TABLE[name], home)
        assert answer.is_success, f"{name}: {answer.text}"
        told = [each for each in await lines(admin) if each["request"] == answer.headers["x-request-id"]]
        assert told, f"{name} leaves no line"
        assert {(each["who"], each["by"], each["address"]) for each in told} == {("a admin", "key", "127.0.0.1")}, name


async def test_what_was_refused_leaves_none(admin: httpx.AsyncClient, home: dict[str, str]) -> None:
    refused = await admin.post("/api/v1/alerts/999999999/ack", headers={"If-Match": "*"})
    assert refused.status_code == 404
    assert await lines(admin) == []


async def test_a_line_and_its_change_are_one(
    admin: httpx.AsyncClient, home: dict[str, str], db: psycopg.Connection
) -> None:
    """Where the line cannot be written, nothing is changed."""
    db.execute("ALTER TABLE audit ADD CONSTRAINT broken CHECK (what <> 'alert.acted')")
    try:
        answer = await admin.post(f"/api/v1/alerts/{home['alert']}/ack", headers={"If-Match": "*"})
        assert answer.status_code == 500
        assert db.execute("SELECT acked FROM alert WHERE id = %s", (home["alert"],)).fetchone() == (False,)
    finally:
        db.execute("ALTER TABLE audit DROP CONSTRAINT broken")


async def test_what_ingest_and_worker_do_leaves_none(town: Any, db: psycopg.Connection) -> None:
    town.device("lamp")
    town.transition(town.alert("lamp"))
    assert db.execute("SELECT count(*) FROM audit").fetchone() == (0,)


async def test_who_is_limited_is_named_too(client: Any, admin: Any, home: Any, db: psycopg.Connection) -> None:
    values = (keys.digest("k"), [HOME])
    db.execute("INSERT INTO api_key (name, digest, role, regions) VALUES ('asahan', %s, 'operator', %s)", values)
    operator = client(None)
    operator.headers["Authorization"] = "Bearer k"
    await operator.post(f"/api/v1/alerts/{home['alert']}/ack", headers={"If-Match": "*"})
    (line,) = await lines(admin)
    assert (line["who"], line["what"], line["subject"]) == ("asahan", "alert.acted", home["alert"])


async def test_sign_ins_and_failures_users_and_keys_are_told(client: Any, admin: Any) -> None:
    password = "sungai-silau-2026"
    await admin.post("/api/v1/users", json={"name": "sari", "role": "viewer", "password": password})
    browser = client(None)
    await browser.post("/api/v1/session", json={"name": "sari", "password": "wrong"})
    await browser.post("/api/v1/session", json={"name": "sari", "password": password})
    made = (await browser.post("/api/v1/keys", json={"name": "k", "role": "viewer"}, headers={"X-Siaga": "1"})).json()
    await browser.delete(f"/api/v1/keys/{made['id']}", headers={"X-Siaga": "1"})
    await admin.put(
        "/api/v1/users/sari", json={"role": "operator", "regions": None, "disabled": False, "password": password + "!"}
    )
    told = await lines(admin)
    assert [(each["what"], each["who"], each["subject"]) for each in reversed(told)] == [
        ("user.created", "a admin", "sari"),
        ("session.refused", "", "sari"),
        ("session.started", "sari", "sari"),
        ("key.created", "sari", "k"),
        ("key.revoked", "sari", "k"),
        ("user.changed", "a admin", "sari"),
    ]
    for secret in (password, made["key"], "argon2"):
        assert secret not in str(told)


def test_no_line_is_changed_or_deleted(db: psycopg.Connection) -> None:
    db.execute("INSERT INTO audit (who, by, what) VALUES ('sari', 'user', 'x.y')")
    for change in ("UPDATE audit SET who = 'budi'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only added to"):
            db.execute(change.encode())
    assert db.execute("SELECT who FROM audit").fetchall() == [("sari",)]


async def test_lines_are_found_by_who_what_subject_and_time(admin: Any, db: psycopg.Connection) -> None:
    db.execute(
        "INSERT INTO audit (at, who, by, what, subject) SELECT now() - n * interval '1 h', 'p' || n % 2, 'user',"
        " CASE WHEN n < 3 THEN 'user.changed' ELSE 'key.created' END, 's' || n FROM generate_series(1, 5) AS n"
    )
    assert {each["who"] for each in await lines(admin, who="p1")} == {"p1"}
    assert len(await lines(admin, what="user")) == len(await lines(admin, what="user.changed")) == 2
    assert [each["subject"] for each in await lines(admin, subject="s4")] == ["s4"]
    assert {each["subject"] for each in await lines(admin, **{"from": "-150m"})} == {"s1", "s2"}
    first = (await admin.get("/api/v1/audit", params={"limit": 3})).json()
    rest = (await admin.get("/api/v1/audit", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [each["subject"] for each in first["items"] + rest["items"]] == ["s5", "s4", "s3", "s2", "s1"]


async def test_all_of_it_is_one_csv(admin: Any, db: psycopg.Connection) -> None:
    db.execute(
        "INSERT INTO audit (who, by, what, subject) SELECT '=1+1', 'user', 'x.y', n FROM generate_series(1, 2500) AS n"
    )
    answer = await admin.get("/api/v1/audit", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["subject"] for row in rows] == [str(n) for n in range(2500, 0, -1)]
    assert {row["who"] for row in rows} == {"'=1+1"}  # no formula in a spreadsheet
