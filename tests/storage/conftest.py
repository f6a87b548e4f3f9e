"""Tests of storage run on every flavour: on plain PostgreSQL, on TimescaleDB of both licences, old and new. What
concerns only tables that are the same on all of them (`same_tables`) is asked of two; SIAGA_TEST_WHOLE=1 asks all."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from storage.connect import connect_async
from storage.migrate import migrate
from tests.community import Community
from tests.servers import Postgres, Timescale
from tests.storage.world import COUNTER, GAUGE, LAMP, World
from tests.whole import WHOLE

TEMPLATE = "storage_template"
# Names of flavours, and which fixture starts the server.
SERVERS = {
    "plain": "postgres",
    "timescale 2.19": "timescale",
    "timescale 2.31": "timescale_new",
    "community": "community",
}
ONE_BACKEND = "community"
ENOUGH = ("plain", "timescale 2.31")
# What asks the older TimescaleDB for what the newer one has in another way: its catalogue, its chunks.
OLD, OF_OLD = "timescale 2.19", ("test_migrate", "test_parts", "test_retention", "test_rollup", "test_write")
# What the community licence has of its own: continuous aggregates, a columnstore. The WASM takes 1.7 s a test.
OF_COMMUNITY = (*OF_OLD, "test_closed", "test_columnstore", "test_groups", "test_rollup_property")

Databases = Postgres | Timescale | Community
_number = itertools.count(1)


@pytest.fixture(params=SERVERS)
def server_name(request: pytest.FixtureRequest) -> str:
    """Each of SERVERS in turn. One of them has one back-end only, and nothing that wants two is asked of it."""
    if request.param == ONE_BACKEND and request.node.get_closest_marker("two_sessions"):
        pytest.skip("wants two sessions at once, and the WASM has one")
    if request.param not in ENOUGH and request.node.get_closest_marker("same_tables") and not WHOLE:
        pytest.skip("the same tables as elsewhere; SIAGA_TEST_WHOLE=1 runs it here too")
    own = {OLD: OF_OLD, ONE_BACKEND: OF_COMMUNITY}.get(request.param)
    if own is not None and request.path.stem not in own and not WHOLE:
        pytest.skip("as on the newer TimescaleDB; SIAGA_TEST_WHOLE=1 runs it here too")
    return str(request.param)


@pytest.fixture
def server(request: pytest.FixtureRequest, server_name: str) -> Databases:
    found: Databases = request.getfixturevalue(SERVERS[server_name])
    return found


@pytest.fixture(scope="session")
def migrated() -> set[Databases]:
    """Servers that have a migrated database to copy."""
    return set()


@pytest.fixture
def database_url(server: Databases, migrated: set[Databases]) -> Iterator[str]:
    """A fresh migrated database."""
    template = TEMPLATE
    if server not in migrated:
        migrate(server.create(template), lambda line: None)
        migrated.add(server)
    name = f"storage_{next(_number)}"
    yield server.create(name, template)
    server.drop(name)


@pytest.fixture
def empty_database_url(server: Databases) -> Iterator[str]:
    """A fresh database that nobody has migrated."""
    name = f"storage_{next(_number)}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    made = await World.make(database_url, LAMP, GAUGE, COUNTER)
    yield made
    await made.ground.close()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A second connection, for who comes in between."""
    async with await connect_async(database_url, "other") as conn:
        yield conn
