"""Callers who are limited to regions: what they are told live, in sums, and that no way leads around it."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from storage import keys, scope
from tests.api.two_regencies import HOME, OTHER, TRACE, build, undo

KEY = "key-of-one-regency"


@pytest.fixture
def towns(town: Any, db: psycopg.Connection) -> Any:
    yield build(town, db)
    undo(db)


@pytest.fixture
def limited(client: Any, db: psycopg.Connection) -> httpx.AsyncClient:
    """An admin of one regency."""
    give(db, KEY, HOME)
    made: httpx.AsyncClient = client(None)
    made.headers["Authorization"] = f"Bearer {KEY}"
    return made


def give(db: psycopg.Connection, key: str, *regions: str) -> None:
    db.execute(
        "INSERT INTO api_key (name, digest, role, regions) VALUES (%s, %s, 'admin', %s)",
        (f"admin of {regions}", keys.digest(key), list(regions)),
    )


async def test_every_table_has_its_place(db: psycopg.Connection) -> None:
    """A new table is hidden from who is limited, and must be put into a list of storage/scope.py."""
    query = """
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND NOT relispartition
    """
    tables = {name for (name,) in db.execute(query)}
    views = {name for (name,) in db.execute("SELECT viewname FROM pg_views WHERE schemaname = 'scoped'")}
    assert tables == views | set(scope.HIDDEN)
    assert not views & set(scope.HIDDEN)


async def test_without_regions_there_is_nothing(database_url: str, towns: Any) -> None:
    with psycopg.connect(database_url, autocommit=True, options=scope.OPTIONS) as conn:
        for table in (*scope.LIMITED, "reading_streetlight", "rollup_traffic_1h"):
            assert conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,), table
        with pytest.raises(psycopg.errors.UndefinedTable):
            conn.execute("SELECT FROM api_key")


async def test_a_device_cannot_be_taken_from_another_region(limited: Any, towns: Any, db: psycopg.Connection) -> None:
    answer = await limited.post("/api/v1/devices/import", content=f"id,kind,region\nzeta-lamp,streetlight,{HOME}\n")
    assert answer.status_code == 403
    assert db.execute("SELECT region FROM device WHERE id = 'zeta-lamp'").fetchone() == (OTHER,)
    away = await limited.post("/api/v1/devices/import", content=f"id,kind,region\nasahan-lamp,streetlight,{OTHER}\n")
    assert away.status_code == 403


async def test_sums_are_of_what_they_see(
    limited: Any, towns: Any, viewer: Any, client: Any, db: psycopg.Connection
) -> None:
    give(db, "key-of-both", HOME, OTHER)
    both = client(None)
    both.headers["Authorization"] = "Bearer key-of-both"
    for path, number in (
        ("/alerts/counts", lambda told: told["open"]),
        ("/ledger/summary?by=kind&from=-6h", lambda told: max(item["received"] for item in told["items"])),
        ("/metrics/streetlight?group=all&from=-6h&agg=count", lambda told: told["items"][0]["devices"]),
    ):
        one, two, every = [number((await each.get(f"/api/v1{path}")).json()) for each in (limited, both, viewer)]
        assert two == every > one, path


async def test_whole_days_are_added_up_from_what_they_see(
    limited: Any, towns: Any, viewer: Any, db: psycopg.Connection
) -> None:
    """What is kept of a day is of all regions; they get the sum of theirs."""
    db.execute(
        "INSERT INTO group_streetlight_1d (grouping, bucket, name, devices, n, n_good)"
        " SELECT 'all', bucket, '', 2, 6, 6 FROM rollup_streetlight_1d GROUP BY bucket"
    )
    asked = "/api/v1/metrics/streetlight?group=all&bucket=1d&tz=UTC&from=-4d&agg=count"
    found = [(await each.get(asked)).json()["items"][0] for each in (viewer, limited)]
    assert [(each["devices"], each["n"]) for each in found] == [(2, 6), (1, 3)]


async def test_live_tells_only_of_theirs(
    streams: Any, limited: Any, towns: Any, town: Any, db: psycopg.Connection
) -> None:
    home, other = towns
    stream, whole = await streams(KEY), await streams()
    for names in (other, home):
        town.transition(int(names["alert"]), what="worsened", to_severity=3)
    told = [await whole.next("alert"), await whole.next("alert")]
    assert [event[1]["alert"]["device_id"] for event in told] == ["zeta-lamp", "asahan-lamp"]
    first = await stream.next("alert")
    assert first[1]["alert"]["device_id"] == "asahan-lamp"
    assert first[1]["counts"]["open"] < told[1][1]["counts"]["open"]
    town.latest("zeta-lamp", "streetlight", _now(db), power_w=1.0)
    town.latest("asahan-lamp", "streetlight", _now(db), power_w=2.0)
    latest = await stream.next("latest")
    assert [item["device_id"] for item in latest[1]["items"]] == ["asahan-lamp"]
    again = await streams(KEY, last_event_id="0")
    missed = await again.next("alert", "reset")
    assert not TRACE.search(str(missed[1]))


async def test_a_replay_names_nothing_of_another_region(streams: Any, limited: Any, towns: Any) -> None:
    stream = await streams(KEY, last_event_id="0")
    home = [await stream.next("alert") for _ in range(3)]
    assert not any(TRACE.search(str(event)) for event in home)


async def test_what_is_refused_says_to_what_one_is_limited(limited: Any) -> None:
    for answer in (await limited.get("/api/v1/users"), await limited.get("/api/v1/audit")):
        assert answer.status_code == 403
        assert HOME in answer.json()["detail"]


def _now(db: psycopg.Connection) -> Any:
    row = db.execute("SELECT now()").fetchone()
    assert row
    return row[0]
