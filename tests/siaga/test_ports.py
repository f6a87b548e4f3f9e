"""Which ports the stack takes, and that they are kept."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.settings import Settings
from siaga.stack import places, ports
from siaga.stack.folder import Folder, claim, read_kept
from siaga.stack.ports import FIRST, LAST, PortError, is_free, settle


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free(unused_tcp_port_factory: Callable[[], int]) -> Callable[[], int]:
    return unused_tcp_port_factory


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    held = claim(tmp_path / "data")
    yield held
    held.lock.close()


def test_free_or_not(busy: int, free: Callable[[], int]) -> None:
    assert not is_free(busy)
    assert is_free(free())


def test_the_one_asked_for(free: Callable[[], int], busy: int) -> None:
    port = free()
    assert settle("--api-port", port, free(), free(), set()) == port
    for asked, taken in ((busy, set()), (port, {port})):
        with pytest.raises(PortError, match=rf"{asked} is in use.*--api-port 0"):
            settle("--api-port", asked, None, None, taken)


def test_the_one_it_had_then_the_usual_then_any(free: Callable[[], int], busy: int) -> None:
    kept, usual = free(), free()
    assert settle("--api-port", None, kept, usual, set()) == kept
    assert settle("--api-port", None, busy, usual, set()) == usual
    assert settle("--api-port", None, kept, usual, {kept}) == usual
    assert settle("--api-port", None, None, usual, set()) == usual
    assert FIRST <= settle("--api-port", None, busy, busy, set()) <= LAST


def test_zero_is_any_but_the_usual(free: Callable[[], int]) -> None:
    kept, usual = free(), free()
    assert settle("--api-port", 0, kept, usual, set()) == kept
    assert FIRST <= settle("--api-port", 0, None, usual, set()) <= LAST


def test_no_port_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port: False)
    with pytest.raises(PortError, match="--mqtt-port"):
        settle("--mqtt-port", 0, None, None, set())


def test_ports_are_kept_from_run_to_run(folder: Folder) -> None:
    first = places.settle(folder, Settings(), 0, 0)
    again = places.settle(folder, Settings(), None, None)
    assert again == first
    assert read_kept(folder) == first.kept
    kept = first.kept
    listened = (kept.api_port, kept.mqtt_port, kept.database_port, kept.monitor_port)
    assert len({*listened, kept.ingest_metrics_port, kept.worker_metrics_port}) == 6
    assert first.api_url == f"http://127.0.0.1:{first.kept.api_port}"
    assert first.mqtt_url == f"mqtt://siaga:{first.kept.mqtt_password}@127.0.0.1:{first.kept.mqtt_port}"
    assert first.database_url.endswith(f"@127.0.0.1:{first.kept.database_port}/siaga")


def test_servers_of_the_operator_are_used(folder: Folder) -> None:
    given = Settings(database_url="postgresql://me:hush@db/x", mqtt_url="mqtts://broker")  # type: ignore[arg-type]
    where = places.settle(folder, given, 0, 0)
    assert (where.database_url, where.mqtt_url) == ("postgresql://me:hush@db/x", "mqtts://broker")
    assert (where.kept.mqtt_port, where.kept.monitor_port, where.kept.database_port) == (None, None, None)


@pytest.mark.parametrize(
    ("host", "url"), [("0.0.0.0", "http://127.0.0.1:"), ("::", "http://127.0.0.1:"), ("::1", "http://[::1]:")]
)
def test_an_address_to_reach_the_api_at(folder: Folder, host: str, url: str) -> None:
    assert places.settle(folder, Settings(api_host=host), 0, 0).api_url.startswith(url)


def test_another_port_is_told(folder: Folder, busy: int, capsys: pytest.CaptureFixture[str]) -> None:
    where = places.settle(folder, Settings(), 0, 0)
    with socket.create_server((ports.LOOPBACK, where.kept.mqtt_port or 0)):
        moved = places.settle(folder, Settings(), None, None)
    assert moved.kept.mqtt_port != where.kept.mqtt_port
    assert moved.kept.api_port == where.kept.api_port
    assert f"port {where.kept.mqtt_port} is in use" in capsys.readouterr().out


def test_what_stack_json_says(folder: Folder) -> None:
    where = places.settle(folder, Settings(), 0, 0)
    assert where.stack(7, {"api": 8}) == {
        "api_url": where.api_url,
        "mqtt_url": where.mqtt_url,
        "database_url": where.database_url,
        "admin_key": where.kept.admin_key,
        "pid": 7,
        "pids": {"api": 8},
    }
