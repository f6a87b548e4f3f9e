"""One database with a small fleet and its credentials, and one broker of each kind that is kept by it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.device import Device
from runtime.settings import Settings
from siaga import credentials
from siaga.credentials import Wanted
from storage import fleet
from storage.connect import connect_async
from tests.identity.brokers import KEY, Mosquitto, Nats, Pki, Secured, make_pki
from tests.servers import Postgres
from worker.broker import sync

REGION = "12.09"
FLEET = [
    *(Device(name, "streetlight", region=REGION) for name in ("lamp-1", "lamp-2", "lamp-9", "lamp-x")),
    *(Device(name, "streetlight", region=REGION, attributes={"gateway": "gw-1"}) for name in ("lamp-3", "lamp-4")),
    *(Device(name, "water_level", region=REGION) for name in ("gauge-1", "gauge-2")),
]
BY_PASSWORD, BY_CERTIFICATE = ("lamp-1", "lamp-2", "lamp-9", "gw-1"), ("gauge-1", "gauge-2")


@pytest.fixture(scope="session")
def identity_url(postgres: Postgres, template: str) -> Iterator[str]:
    url = postgres.create("siaga_identity", template)

    async def register() -> None:
        async with await connect_async(url, "test") as conn:
            await fleet.import_devices(conn, FLEET)

    asyncio.run(register())
    yield url
    postgres.drop("siaga_identity")


@pytest.fixture(scope="session")
def passwords(identity_url: str) -> dict[str, Any]:
    """By name; those of certificates have none."""
    settings = Settings(device_key=KEY)
    made = credentials.provision(identity_url, settings, Wanted(BY_PASSWORD)).made
    return made | credentials.provision(identity_url, settings, Wanted(BY_CERTIFICATE, "certificate")).made


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def started(server: Secured) -> Iterator[Secured]:
    try:
        if isinstance(server, Nats):  # it reads its users when it starts
            asyncio.run(sync.once(server.keeping))
        server.start()
        asyncio.run(sync.once(server.keeping))
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def secured_nats(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, identity_url: str, passwords: Any
) -> Iterator[Secured]:
    yield from started(Nats(tmp_path_factory.mktemp("nats-tls") / "b", pki, identity_url))


@pytest.fixture(scope="session")
def mapped_nats(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, identity_url: str, passwords: Any
) -> Iterator[Secured]:
    yield from started(Nats(tmp_path_factory.mktemp("nats-map") / "b", pki, identity_url, verify=True))


@pytest.fixture(scope="session")
def secured_mosquitto(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, identity_url: str, passwords: Any
) -> Iterator[Secured]:
    yield from started(Mosquitto(tmp_path_factory.mktemp("mosquitto-tls") / "b", pki, identity_url))


@pytest.fixture(scope="session")
def secured_mosquitto21(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, identity_url: str, passwords: Any
) -> Iterator[Secured]:
    yield from started(Mosquitto(tmp_path_factory.mktemp("mosquitto21-tls") / "b", pki, identity_url, "2.1"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
