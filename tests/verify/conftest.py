"""The small run in a database, once; each test that changes something gets a copy of it."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg
import pytest

from siaga.stack.ports import LOOPBACK
from storage import keys
from tests.servers import Postgres, Server, free_port
from tests.verify.run import FLOOD, ingest, sent, write_truth

FILLED = "siaga_verify"
_number = itertools.count(1)


@pytest.fixture(scope="session")
def filled(postgres: Postgres, template: str) -> Iterator[str]:
    url = postgres.create(FILLED, template)
    asyncio.run(ingest(url, sent()))
    yield FILLED
    postgres.drop(FILLED)


@pytest.fixture
def database_url(postgres: Postgres, filled: str) -> Iterator[str]:
    name = f"{filled}_{next(_number)}"
    yield postgres.create(name, filled)
    postgres.drop(name)


@pytest.fixture(scope="session")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth") / "small"
    write_truth(folder, sent(), FLOOD)
    return folder


class Served(NamedTuple):
    """An API over a copy of the run."""

    database_url: str
    url: str
    key: str


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[Served]:
    with serving(database_url, tmp_path) as served:
        yield served


@contextmanager
def serving(database_url: str, tmp_path: Path) -> Iterator[Served]:
    port, key = free_port(), "only-in-tests"
    url = f"http://{LOOPBACK}:{port}"
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("INSERT INTO api_key (name, digest, role) VALUES ('t', %s, 'viewer')", (keys.digest(key),))

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/healthz").is_success
        except httpx.TransportError:
            return False

    env = {**os.environ, "SIAGA_DATABASE_URL": database_url, "SIAGA_API_HOST": LOOPBACK, "SIAGA_API_PORT": str(port)}
    folder = tmp_path / "api"
    folder.mkdir()
    server = Server([sys.executable, "-m", "siaga", "api"], env, folder, answers)
    server.start()
    try:
        yield Served(database_url, url, key)
    finally:
        server.stop()
