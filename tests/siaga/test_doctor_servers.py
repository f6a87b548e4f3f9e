"""`siaga doctor` on real servers: a healthy installation is all green, and what is wrong is named with its cure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psycopg
import pytest
from typer.testing import CliRunner

from runtime.mqtt_url import parse_url
from siaga.cli import app
from siaga.stack.ports import is_free
from storage import flavour
from storage.connect import connect
from storage.migrate import migrate
from tests.certificate import certificate
from tests.servers import Mosquitto, Nats, free_port, with_tls
from tests.stack import ROOT, Stack, until


def doctor(**settings: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the verdicts by check."""
    given = {f"SIAGA_{name.upper()}": value for name, value in settings.items()}
    done = CliRunner().invoke(app, ["doctor", "--json"], env={"SIAGA_API_PORT": str(free_port()), **given})
    return done.exit_code, {each["check"]: each for each in json.loads(done.stdout)}


@pytest.mark.slow
def test_a_healthy_stack_is_all_green_and_a_stopped_broker_is_not(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data", "--devices", "20", "--history", "0")
    try:
        stack.start()
        with stack.connect() as conn:
            until(lambda: conn.execute("SELECT FROM latest").rowcount, "a reading is stored")
            until(lambda: conn.execute("SELECT FROM retention").rowcount, "retention has run")
            held = "SELECT FROM part WHERE name = 'worker' AND state = 'up' AND facts ->> 'broker_held_bytes' <> ''"
            until(lambda: conn.execute(held).rowcount, "the worker knows what the broker holds")
        said = stack.run("doctor").stdout
        assert said.splitlines()[-1].startswith("all well"), said
        for check in ("broker", "schema", "durability", "clock, API", "retention", "disk, database", "part ingest"):
            assert f"ok       {check}" in said, said
        page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
        for each in json.loads(stack.run("doctor", "--json").stdout):
            name = "part" if each["check"].startswith("part ") else each["check"].split(",")[0]
            assert f"`{name}`" in page, each
        env = {name.removeprefix("SIAGA_").lower(): value for name, value in stack.env.items()}
        code, found = doctor(**env | {"mqtt_url": f"mqtt://siaga:{'x' * 20}@127.0.0.1:{free_port()}"})
        assert code == 1
        assert found["broker"]["state"] == "problem"
        assert "Start the broker" in found["broker"]["cure"]
        assert found["database"]["state"] == found["part worker"]["state"] == found["API"]["state"] == "ok"
    finally:
        stack.close()


def test_no_parts_no_broker_and_a_server_without_fsync(database_url: str, nats: Nats) -> None:
    code, found = doctor(database_url=database_url, mqtt_url=nats.url.replace("only-in-tests", "wrong-password"))
    assert code == 1
    assert "refuses this user: Not authorized" in found["broker"]["what"]
    assert found["durability"]["state"] == "problem"  # tests kill processes, not machines
    assert found["part ingest"]["state"] == found["part worker"]["state"] == "problem"
    assert found["schema"]["state"] == "ok"
    assert found["API"]["state"] == "problem"
    assert found["admin"]["state"] == "warning"


def test_an_old_schema_and_none(database_url: str, empty_database_url: str, nats: Nats) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '0003'")
    _, found = doctor(database_url=database_url, mqtt_url=nats.url)
    assert found["schema"]["state"] == "problem"
    assert "siaga migrate" in found["schema"]["cure"]
    assert found["broker"]["state"] == "ok"
    code, found = doctor(database_url=empty_database_url, mqtt_url=nats.url)
    assert code == 1
    assert "no tables" in found["schema"]["what"]
    assert found["lag"]["cure"] == "Run `siaga migrate`."
    assert found["clock, database"]["state"] == "ok"  # one check that fails stops no other


def test_a_database_that_is_away(nats: Nats) -> None:
    code, found = doctor(database_url=f"postgresql://siaga@127.0.0.1:{free_port()}/siaga", mqtt_url=nats.url)
    assert code == 1
    assert "cannot be reached" in found["database"]["what"]
    assert found["broker"]["state"] == found["rate limits"]["state"] == "ok"


def test_a_broker_is_asked_itself_what_it_holds(nats: Nats, database_url: str) -> None:
    monitor = f"http://127.0.0.1:{nats.monitor_port}"
    _, found = doctor(database_url=database_url, mqtt_url=nats.url, broker_monitor_url=monitor)
    assert found["broker store"]["state"] == "ok"
    assert "says the broker" in found["broker store"]["what"]


@pytest.fixture
def small_nats(tmp_path: Path) -> Iterator[Nats]:
    server = Nats(tmp_path / "store", {"max_file_store: $SIAGA_BROKER_MAX_FILE": "max_file_store: 1MB"})
    server.start()
    yield server
    server.stop()


def test_a_broker_whose_store_fills_up(small_nats: Nats, database_url: str) -> None:
    at = parse_url(small_nats.url)

    def client(name: str) -> paho.Client:
        made = paho.Client(paho.CallbackAPIVersion.VERSION2, name, clean_session=False)
        made.username_pw_set(at.username, at.password)
        made.connect(at.host, at.port)
        made.loop_start()
        return made

    sleeper = client("sleeper")  # a session for whom the broker keeps what comes
    subscribed: list[bool] = []
    sleeper.on_subscribe = lambda *_: subscribed.append(True)
    sleeper.subscribe("siaga/v1/12.09/+/readings", 1)
    until(lambda: subscribed, "subscribed")
    sleeper.disconnect()
    sleeper.loop_stop()
    sender = client("sender")
    for number in range(9):
        sender.publish(f"siaga/v1/12.09/d-{number}/readings", b"x" * 100_000, 1).wait_for_publish(20)
    sender.disconnect()
    sender.loop_stop()
    monitor = f"http://127.0.0.1:{small_nats.monitor_port}"
    code, found = doctor(database_url=database_url, mqtt_url=small_nats.url, broker_monitor_url=monitor)
    assert code == 1
    assert found["broker store"]["state"] == "problem"
    assert "SIAGA_BROKER_MAX_FILE" in found["broker store"]["cure"]


def test_mosquitto_tells_what_it_holds_and_not_its_limit(mosquitto: Mosquitto, database_url: str) -> None:
    settings = {"database_url": database_url, "mqtt_url": mosquitto.url, "broker_monitor_url": mosquitto.url}
    # A busy machine may take longer to answer than doctor waits.
    until(lambda: "limit is not known" in doctor(**settings)[1]["broker store"]["what"], "it tells what it holds")
    _, found = doctor(**settings)
    assert found["broker"]["state"] == found["subscription"]["state"] == "ok"
    _, found = doctor(**settings, broker_limit_bytes="1000000000")
    assert found["broker store"]["state"] == "ok"


def test_a_wrong_setting_of_one_check_stops_no_other(nats: Nats, database_url: str) -> None:
    _, found = doctor(database_url=database_url, mqtt_url=nats.url, retention="lamp.raw=3", decoders="/none.toml")
    assert "SIAGA_RETENTION" in found["retention"]["what"]
    assert "SIAGA_DECODERS" in found["broker"]["what"]
    assert found["schema"]["state"] == "ok"


@pytest.fixture
def tls_nats(tmp_path: Path) -> Iterator[tuple[Nats, Path]]:
    """A broker with TLS, and its own certificate of two days."""
    made, key = certificate(tmp_path)
    server = Nats(tmp_path / "store", with_tls(made, key))
    server.ready = lambda: not is_free(server.port)
    server.start()
    yield server, made
    server.stop()


# paho leaves the socket of a refused handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")
def test_certificates(tls_nats: tuple[Nats, Path], database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody vouches for is refused; one that is believed and ends soon is named with its date."""
    server, own = tls_nats
    url = server.url.replace("mqtt://", "mqtts://")
    _, found = doctor(database_url=database_url, mqtt_url=url)
    assert "self-signed" in found["broker"]["what"]
    assert "self-signed" in found["certificate, broker"]["what"]
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    _, found = doctor(database_url=database_url, mqtt_url=url)
    assert found["broker"]["state"] == found["subscription"]["state"] == "ok"
    assert found["broker access"]["what"] == "with TLS"
    assert found["certificate, broker"]["state"] == "problem"
    assert "1 days" in found["certificate, broker"]["what"]


@pytest.mark.parametrize("url", ["timescale_url", "community_url"])
def test_timescaledb_has_no_job_that_fails(url: str, nats: Nats, request: pytest.FixtureRequest) -> None:
    database_url: str = request.getfixturevalue(url)
    migrate(database_url, lambda line: None)
    with connect(database_url, "test") as conn:
        assert flavour.current(conn).has_hypertables
        assert flavour.failing(conn, flavour.current(conn)) == []
    if url == "timescale_url":  # the other has one connection only
        _, found = doctor(database_url=database_url, mqtt_url=nats.url)
        assert "TimescaleDB (Apache licence)" in found["database"]["what"]
        assert found["parts"]["state"] == "ok"
        assert "has not run yet" in found["retention"]["what"]
