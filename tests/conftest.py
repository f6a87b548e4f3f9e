"""Servers shared by the whole run, and a database of its own for each test that asks for one."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from siaga.stack.postgres import PostgresError
from storage.migrate import migrate
from tests.community import Community
from tests.servers import Amqtt, Mosquitto, Nats, Postgres, Server, Timescale, memory_folder, missing
from tests.servers import mosquitto21 as make_mosquitto21

# Few examples, and nothing that depends on how busy the machine is. A change is checked with the same examples every
# time; at a desk they are new ones, and what they find becomes a test of its own.
settings.register_profile(
    "siaga",
    max_examples=30,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("siaga")

TEMPLATE = "siaga_template"
CITY = "tests/e2e/city/"
Running = TypeVar("Running", bound=Server)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: `make test` deals whole files to its workers, which would all wait for a slow one
    dealt last. Within both halves the order is what it was."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    return _FilesButOneCity(config, log)


class _FilesButOneCity(LoadFileScheduling):
    """Whole files to a worker, and to one of them all of tests/e2e/city, which share what takes longest to start."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return CITY if file.startswith(CITY) else file


_number = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One PostgreSQL for the run."""
    folder = memory_folder() or tmp_path_factory.mktemp("postgres")
    try:
        server = Postgres(folder / "home")
    except PostgresError as error:
        shutil.rmtree(folder, ignore_errors=True)
        missing("PostgreSQL", str(error))
        raise
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """The name of a migrated database to copy: 60 ms instead of the 2 s of a migration."""
    postgres.create(TEMPLATE)
    migrate(postgres.url(TEMPLATE), lambda line: None)
    return TEMPLATE


@pytest.fixture
def database_url(postgres: Postgres, template: str) -> Iterator[str]:
    """A fresh migrated database."""
    name = f"siaga_{next(_number)}"
    yield postgres.create(name, template)
    postgres.drop(name)


@pytest.fixture
def empty_database_url(postgres: Postgres) -> Iterator[str]:
    """A fresh database that nobody has migrated."""
    name = f"siaga_{next(_number)}"
    yield postgres.create(name)
    postgres.drop(name)


@pytest.fixture(scope="session")
def timescale() -> Iterator[Timescale]:
    """One TimescaleDB 2.19 (Apache licence) on PostgreSQL 17 for the run."""
    yield from _started(Timescale("trixie"))


@pytest.fixture(scope="session")
def timescale_new() -> Iterator[Timescale]:
    """One TimescaleDB 2.31 (Apache licence) on PostgreSQL 18 for the run."""
    yield from _started(Timescale("forky"))


@pytest.fixture(scope="session")
def community(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Community]:
    """One TimescaleDB 2.23 (community licence) on PostgreSQL 17, all of it WASM, for the run."""
    yield from _started(Community(tmp_path_factory.mktemp("community") / "home"))


@pytest.fixture
def timescale_url(timescale: Timescale) -> Iterator[str]:
    """A fresh empty database on TimescaleDB 2.19, owned by a role of its name without special rights."""
    name = f"siaga_{next(_number)}"
    yield timescale.create(name, owner=name)
    timescale.drop(name)


@pytest.fixture
def community_url(community: Community) -> Iterator[str]:
    """A fresh empty database on TimescaleDB's community edition."""
    name = f"siaga_{next(_number)}"
    yield community.create(name)
    community.drop(name)


def _started(server: Running) -> Iterator[Running]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    server = Nats(tmp_path_factory.mktemp("nats") / "store")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path_factory.mktemp("mosquitto") / "store")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mosquitto21(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """Mosquitto 2.1 with durable persistence."""
    server = make_mosquitto21(tmp_path_factory.mktemp("mosquitto21") / "store")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def amqtt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Amqtt]:
    server = Amqtt(tmp_path_factory.mktemp("amqtt") / "store")
    server.start()
    yield server
    server.stop()
