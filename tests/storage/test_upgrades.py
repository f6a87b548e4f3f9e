"""A database of every version there was, with rows in every table it had, is brought forward: nothing is lost or
changed, rollups and ledger add up, alerts can be read, and ingest goes on where it stood.

tests/storage/upgrades/ has for each revision the rows that a version with that schema would have written into what was
new in it. They add up: the database of a revision has those of all before it, too. A new migration that makes a table
needs a file of its own once another follows it, or the test says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from api.app import create_app
from devices.kinds import KINDS
from runtime.settings import Settings
from storage import flavour, kind_tables, migrate
from tests.servers import Postgres
from tests.storage.rolled import assert_rolled, drain
from tests.storage.world import World, packet

pytestmark = pytest.mark.slow

SEEDS = Path(__file__).with_name("upgrades")
REVISIONS = migrate.known_revisions()
CHAIN = "upgrades"
# From this schema on tables of kinds were in parts and had groups; cabinets came later.
PARTS_SINCE, FIRST_KINDS = "0008", ("streetlight", "water_level", "traffic")
# What a migration itself takes rows out of, or adds some to.
CHANGED = {"session": "0016", "procrastinate_jobs": "0013", "notice": "0013"}
MARKED = {"group_mark"}
TABLES = """
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
    AND (relname = 'procrastinate_jobs' OR relname NOT LIKE 'procrastinate%' AND relname <> 'alembic_version')
"""
UNEQUAL = """
SELECT device_id FROM (SELECT device_id, sum(stored) AS stored FROM ledger GROUP BY 1) AS l
FULL JOIN (SELECT device_id, count(*) AS readings FROM {} GROUP BY 1) AS r USING (device_id)
WHERE readings IS NOT NULL AND readings IS DISTINCT FROM stored
"""
OPENED = datetime(2026, 11, 24, 11, 20, tzinfo=UTC)
KEY = {"Authorization": "Bearer key-of-then"}


def run_file(conn: psycopg.Connection[Any], name: str) -> None:
    if (file := SEEDS / f"{name}.sql").exists():
        migrate.run_sql(conn, file)


def counts(url: str) -> dict[str, int]:
    """How many rows each table has."""
    with psycopg.connect(url) as conn:
        names = [name for (name,) in conn.execute(TABLES.encode()).fetchall()]
        each = (sql.SQL("SELECT {}, count(*) FROM {}").format(name, sql.Identifier(name)) for name in names)
        return dict(conn.execute(sql.SQL(" UNION ALL ").join(each)).fetchall())


@pytest.fixture(scope="module")
def released(postgres: Postgres) -> Iterator[dict[str, str]]:
    """URLs of databases as they were, by revision."""
    made: dict[str, str] = {}
    chain = postgres.create(CHAIN)
    for revision in REVISIONS[:-1]:
        with psycopg.connect(chain, autocommit=True) as conn:
            migrate._fixed_tables(conn, lambda line: None, revision)
            if revision == REVISIONS[0]:
                run_file(conn, f"{revision}_kinds")
            run_file(conn, revision)
            if revision == PARTS_SINCE:
                for name in FIRST_KINDS:
                    kind_tables.create(conn, KINDS[name], flavour.current(conn))
        made[revision] = postgres.create(f"{CHAIN}_{revision}", CHAIN)
    yield made
    for name in (CHAIN, *(f"{CHAIN}_{revision}" for revision in made)):
        postgres.drop(name)


@pytest.mark.parametrize("revision", REVISIONS[:-1])
async def test_a_database_of_then_is_brought_forward(revision: str, released: dict[str, str]) -> None:
    url = released[revision]
    before = counts(url)
    empty = {name for name, number in before.items() if not number and not name.startswith(("group_", "rollup_"))}
    assert not empty, f"tests/storage/upgrades/{revision}.sql has no rows for them"
    lines: list[str] = []
    migrate.migrate(url, lines.append)
    assert f"migrated fixed tables from {revision} to {REVISIONS[-1]}" in lines
    after = counts(url)
    kept = {name for name in before if revision >= CHANGED.get(name, "") and name not in MARKED}
    assert {name: before[name] for name in kept} == {name: after.get(name) for name in kept}
    assert "notice" not in after
    await it_adds_up(url)
    await it_can_be_read(url, revision)
    await ingest_goes_on(url)


async def it_adds_up(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, options="-c timezone=UTC") as conn:
        await drain(conn)
        await assert_rolled(conn)
        for name in FIRST_KINDS:
            table = sql.Identifier(kind_tables.reading_table(KINDS[name]))
            unequal = await conn.execute(sql.SQL(UNEQUAL).format(table))
            assert await unequal.fetchall() == []


async def it_can_be_read(url: str, revision: str) -> None:
    """By the API of now, with a key of then."""
    app = create_app(Settings(database_url=url))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://siaga/api/v1", headers=KEY) as client,
    ):

        async def get(path: str, **query: Any) -> Any:
            answer = await client.get(path, params=query)
            assert answer.status_code == 200, (path, answer.text)
            return answer.json()

        alerts = {item["id"]: item for item in (await get("/alerts", state="all", historical="any"))["items"]}
        assert {number: (item["rule"], item["state"]) for number, item in alerts.items()} == {
            1: ("siaga", "active"), 2: ("voltage_low", "cleared"), 3: ("voltage_low", "cleared")
        }  # fmt: skip
        assert [step["what"] for step in (await get("/alerts/2"))["history"]] == ["raised", "acked", "cleared"]
        levels = await get("/readings", device="gauge", **{"from": "2026-11-01T00:00:00Z"})
        assert [item["level_m"] for item in levels["items"]] == [1.5, 1.9, 2.1, 2.6]
        latest = {item["device_id"]: item["ts"] for item in (await get("/latest"))["items"]}
        assert latest.keys() == {"lamp", "gauge", "counter"}
        entries = {item["device_id"]: item["state"] for item in (await get("/quarantine"))["items"]}
        assert entries == {"gauge": "claimed" if revision >= "0002" else "open", "stranger": "open"}
        days = await get("/metrics/water_level", device="gauge", bucket="1d", **{"from": "2026-11-01T00:00:00Z"})
        assert days["items"]
        for path in ("/devices", "/rules", "/incidents", "/keys", "/users", "/duty", "/notices", "/windows", "/audit",
                     "/forecasts", "/alerts/shelves", "/handover"):  # fmt: skip
            await get(path)
        if revision >= "0010":
            assert alerts[1]["assignee"] == "budi"


async def ingest_goes_on(url: str) -> None:
    """The state of the open alert is understood: it is cleared when the water has been low for long enough."""
    world = await World.make(url)
    try:
        for number, level in enumerate((2.2, 1.9, 1.6, 1.6, 1.6), 1):
            at = OPENED + timedelta(minutes=30 * number)
            await world.send([packet("gauge", {"ts": at, "seq": 5 + number, "boot": "a", "level_m": level}, at=at)], at)
        cleared = "SELECT what FROM transition WHERE alert_id = 1 AND what IN ('raised', 'cleared') ORDER BY id"
        assert await world.rows(cleared) == [("raised",), ("cleared",)]
        assert await world.one("SELECT active FROM alert WHERE id = 1") is False
        await drain(world.conn)
        await assert_rolled(world.conn)
    finally:
        await world.ground.close()
