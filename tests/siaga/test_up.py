"""What makes `siaga up` refuse: each in a sentence that says what to do, and nothing is left running.

That it runs, and goes on whatever is killed, is tests/e2e/test_up.py.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from runtime.settings import PREFIX
from siaga.stack import processes
from siaga.stack.folder import claim, read_kept, write_kept
from tests.servers import Nats

ROOT = Path(__file__).resolve().parents[2]
Up = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def up(data: Path) -> Up:
    """Run `siaga up` until it has refused; checks what holds of every refusal."""

    def run(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        done = subprocess.run(
            [sys.executable, "-m", "siaga", "up", "--data", data, *options],
            capture_output=True, text=True, check=False, cwd=ROOT, env=inherited | env, timeout=120,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith("siaga: "), done.stderr
        assert "Traceback" not in done.stderr
        assert processes.leftovers(data) == []
        assert not (data / "stack.json").exists()
        return done

    return run


def test_a_port_that_somebody_has(up: Up) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert f"port {port} is in use" in up("--api-port", str(port)).stderr
        assert "--mqtt-port 0" in up("--mqtt-port", str(port), "--api-port", "0").stderr


def test_secrets_that_cannot_be_read(up: Up, data: Path) -> None:
    data.mkdir()
    (data / "secrets.json").write_text("{")
    assert "secrets.json cannot be read" in up().stderr


def test_a_folder_that_cannot_be_made(up: Up, data: Path) -> None:
    data.touch()
    assert "--data" in up().stderr


def test_a_cluster_of_another_version(up: Up, data: Path) -> None:
    folder = claim(data)
    write_kept(folder, read_kept(folder))
    folder.lock.close()
    (data / "database" / "17").mkdir()
    (data / "database" / "17" / "PG_VERSION").write_text("17\n")
    assert "pg_dump" in up("--api-port", "0", "--mqtt-port", "0").stderr


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mqtt://siaga:wrong@127.0.0.1:{port}", "SIAGA_MQTT_URL: the broker at 127.0.0.1:"),
        ("mqtt://127.0.0.1:1", "does not answer"),
        ("http://127.0.0.1", "SIAGA_MQTT_URL"),
        ("mqtt://a..b", "does not answer"),
    ],
)
def test_a_broker_of_the_operator_that_refuses(up: Up, database_url: str, nats: Nats, url: str, says: str) -> None:
    done = up("--api-port", "0", SIAGA_DATABASE_URL=database_url, SIAGA_MQTT_URL=url.format(port=nats.port))
    assert says in done.stderr
    assert "wrong" not in done.stderr


def test_a_database_of_the_operator_that_is_not_there(up: Up, nats: Nats, unused_tcp_port: int) -> None:
    url = f"postgresql://siaga:hush@127.0.0.1:{unused_tcp_port}/siaga"
    done = up("--api-port", "0", SIAGA_DATABASE_URL=url, SIAGA_MQTT_URL=nats.url)
    assert "hush" not in done.stderr + done.stdout
    assert str(unused_tcp_port) in done.stderr + done.stdout


def test_a_wrong_setting(data: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "siaga", "up", "--data", data],
        capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | {"SIAGA_API_PORT": "x"}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "SIAGA_API_PORT" in done.stderr
    assert not data.exists()


@pytest.mark.slow
def test_servers_of_the_operator_are_used(data: Path, database_url: str, nats: Nats) -> None:
    """Only our own parts are started, and the operator's servers still run when they have ended."""
    env = os.environ | {"SIAGA_DATABASE_URL": database_url, "SIAGA_MQTT_URL": nats.url}
    with subprocess.Popen(
        [sys.executable, "-m", "siaga", "up", "--data", data, "--api-port", "0", "--no-simulator"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=env,
    ) as running:  # fmt: skip
        assert running.stdout
        said = ""
        for line in running.stdout:
            said += line
            if "/sign-in?" in line:
                break
        stack = json.loads((data / "stack.json").read_text())
        running.terminate()
        said += running.stdout.read()
    assert running.returncode == 0, said
    assert set(stack["pids"]) == {"ingest", "worker", "api"}
    assert (stack["database_url"], stack["mqtt_url"]) == (database_url, nats.url)
    assert not any((data / "database").iterdir())
    assert processes.leftovers(data) == []
    with psycopg.connect(database_url) as conn:
        # Who ends on purpose is not missed.
        assert conn.execute("SELECT name FROM part").fetchall() == []
