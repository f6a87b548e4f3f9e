"""The servers of the benchmarks: the brokers by name, and PostgreSQL set as `siaga up` sets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from storage.migrate import migrate
from tests.servers import Mosquitto, Nats, Postgres, mosquitto21

TEMPLATE = "siaga_bench"


class Broker(Protocol):
    """A server of tests/servers.py that speaks MQTT."""

    pid: int | None
    port: int

    @property
    def url(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


class Kept(NamedTuple):
    """A broker that can be started; what it keeps when it is killed."""

    name: str
    make: Callable[[Path], Broker]


BROKERS = {
    "nats": Kept("NATS, file store", Nats),
    "mosquitto21": Kept("Mosquitto 2.1, durable", mosquitto21),
    "mosquitto20": Kept("Mosquitto 2.0", Mosquitto),
}


class MissingError(Exception):
    """Something is not installed; the message names the cure."""


@contextmanager
def broker(key: str, folder: Path) -> Iterator[Broker]:
    """A fresh broker. Raises MissingError."""
    try:
        server = BROKERS[key].make(folder / key)
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        raise MissingError(str(missing)) from None
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def database(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL that loses nothing it has committed, with a migrated database to copy (TEMPLATE)."""
    server = Postgres(folder / "postgres")
    # What tests leave out for speed. The last one given counts.
    server.command += ("-c", "fsync=on", "-c", "full_page_writes=on", "-c", "max_wal_size=2GB")
    server.start()
    try:
        migrate(server.create(TEMPLATE), lambda line: None)
        yield server
    finally:
        server.stop()
