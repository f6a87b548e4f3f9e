"""`siaga up` on servers of the operator's own: a PostgreSQL and a Mosquitto over websockets, not the embedded parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Mosquitto
from tests.stack import Stack, until

pytestmark = pytest.mark.slow


@pytest.fixture
def websockets_url(tmp_path: Path) -> Iterator[str]:
    server = Mosquitto(tmp_path / "broker")
    url = server.over_websockets()
    server.start()
    yield url
    server.stop()


def test_servers_named_by_settings_replace_the_embedded_ones(
    empty_database_url: str, websockets_url: str, tmp_path: Path
) -> None:
    own = {"SIAGA_DATABASE_URL": empty_database_url, "SIAGA_MQTT_URL": websockets_url}
    stack = Stack(tmp_path / "data", "--devices", "20", settings=own)
    stack.start()
    try:
        content = stack.content
        assert (content["database_url"], content["mqtt_url"]) == (empty_database_url, websockets_url)
        assert content["pids"].keys() == {"ingest", "worker", "api", "simulator"}
        with stack.client() as client:
            until(lambda: len(list(client.latest())) == 20, "every device has reported")
        names = {part["name"] for part in stack.get("/readyz").json()["parts"]}
        assert names == {"ingest", "worker", "api", "simulator"}
    finally:
        assert stack.stop() == 0
