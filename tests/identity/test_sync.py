"""The broker follows the table: who is new gets in, who is revoked is cut off, and nothing is done twice."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from runtime.mqtt_url import parse_url
from runtime.settings import SettingError, Settings
from siaga import ca, credentials
from siaga.cli import app
from siaga.credentials import Wanted
from storage.connect import connect_async
from storage.credentials import wanted
from tests.identity.attacker import LET_IN, NOT_LET_IN, TAKEN
from tests.identity.attacks import OURS, World, joins
from tests.identity.brokers import KEY, Nats, Secured
from tests.stack import until
from worker.broker import mosquitto, nats, sync
from worker.broker.target import SyncError
from worker.health import Health

# How long a revoked device may go on. What it takes is a step of sync, 1 s where nobody says otherwise, and a reload.
CUT_OFF_S = 10.0
BROKERS = ("secured_nats", "secured_mosquitto", "secured_mosquitto21")


@contextmanager
def kept(settings: Settings) -> Iterator[None]:
    """What the worker does, in a thread of the test."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(sync.keep(settings, stop)))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture(params=BROKERS)
def world(request: Any, pki: Any, passwords: Any, tmp_path: Any) -> Iterator[World]:
    """Of lamp-x and those whose names begin with new- nothing is left afterwards."""
    broker: Secured = request.getfixturevalue(request.param)
    yield World(broker, pki, dict(passwords), tmp_path)
    with psycopg.connect(broker.keeping.database_url.get_secret_value(), autocommit=True) as conn:  # type: ignore[union-attr]
        conn.execute("DELETE FROM credential WHERE name = 'lamp-x' OR starts_with(name, 'new-')")
        conn.execute("DELETE FROM device WHERE starts_with(id, 'new-')")
    asyncio.run(sync.once(broker.keeping))


def test_who_is_provisioned_gets_in_and_who_is_revoked_is_cut_off(world: World, identity_url: str) -> None:
    settings = Settings(device_key=KEY)
    with kept(world.broker.keeping):
        made = credentials.provision(identity_url, settings, Wanted(["lamp-x"])).made
        who = world.who("lamp-x", made["lamp-x"])
        until(lambda: joins(who, "lamp-x") == LET_IN, "the new one gets in", 10)

        world.passwords["lamp-x"] = str(made["lamp-x"])
        with world.device("lamp-x") as client, world.device("lamp-9") as other:
            assert client.publish(f"{OURS}/lamp-x/readings") == TAKEN
            rotated = credentials.rotate(identity_url, settings, ["lamp-x"])
            assert client.until(lambda: client.is_lost, CUT_OFF_S), "with the old password it went on"
            assert joins(who, "lamp-x") == NOT_LET_IN
            world.passwords["lamp-x"] = str(rotated["lamp-x"])
            with world.device("lamp-x") as again:
                credentials.revoke(identity_url, ["lamp-x"])
                assert again.until(lambda: again.is_lost, CUT_OFF_S), "revoked, it went on"
            assert joins(world.who("lamp-x"), "lamp-x") == NOT_LET_IN
            # Who has nothing to do with it stays connected.
            assert other.publish(f"{OURS}/lamp-9/readings") == TAKEN


def test_a_credential_that_ends_by_itself_cuts_off_too(world: World, identity_url: str) -> None:
    made = credentials.provision(identity_url, Settings(device_key=KEY), Wanted(["lamp-x"], days=1)).made
    world.passwords["lamp-x"] = str(made["lamp-x"])
    with kept(world.broker.keeping):
        until(lambda: joins(world.who("lamp-x"), "lamp-x") == LET_IN, "it gets in", 10)
        with world.device("lamp-x") as client:
            with psycopg.connect(identity_url, autocommit=True) as conn:
                conn.execute("UPDATE credential SET expires_at = now() + interval '0.3 s' WHERE name = 'lamp-x'")
            assert client.until(lambda: client.is_lost, CUT_OFF_S)
        assert joins(world.who("lamp-x"), "lamp-x") == NOT_LET_IN


def test_many_at_once_are_one_step_and_nothing_is_done_twice(world: World, identity_url: str) -> None:
    names = [f"new-{number}" for number in range(40)]
    with psycopg.connect(identity_url, autocommit=True) as conn:
        query = "INSERT INTO device (id, kind, region) SELECT n, 'streetlight', '12.09' FROM unnest(%s::text[]) AS n"
        conn.execute(query, (names,))
    reloads = world.broker.log.read_text().count("Reloaded server configuration")
    credentials.provision(identity_url, Settings(device_key=KEY), Wanted(names))
    target = sync.target(world.broker.keeping)
    assert target is not None

    async def desired() -> Any:
        async with await connect_async(identity_url, "test") as conn:
            return await wanted(conn, "closed")

    identities = asyncio.run(desired())
    first, second = target.apply(identities), target.apply(identities)
    assert (first.users, second.users) == (first.users, first.users)
    if isinstance(world.broker, Nats):
        assert world.broker.log.read_text().count("Reloaded server configuration") == reloads + 1
    else:
        assert (first.changed, second.changed) == (40, 0)


def test_what_was_changed_by_hand_is_put_right(secured_mosquitto: Secured, passwords: Any) -> None:
    control = parse_url(secured_mosquitto.keeping.broker_control_url.get_secret_value())  # type: ignore[union-attr]
    with mosquitto.Control(control) as admin:
        before = admin.ours()
        by_hand = {"command": "createClient", "username": "by-hand", "password": "x"}
        admin.do([{"command": "deleteClient", "username": "lamp-1"}, {"command": "deleteClient", "username": "siaga"}])
        admin.do([by_hand])
        admin.flush()
    asyncio.run(sync.once(secured_mosquitto.keeping))
    with mosquitto.Control(control) as admin:
        assert admin.ours() == before
        assert "by-hand" in admin.others
        admin.do([{"command": "deleteClient", "username": "by-hand"}])
        admin.flush()


def test_a_file_changed_by_hand_is_put_right(secured_nats: Secured, pki: Any, passwords: Any, tmp_path: Any) -> None:
    file = secured_nats.folder / "users.conf"
    before = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("users: []\n")
    asyncio.run(sync.once(secured_nats.keeping))
    assert file.read_text() == before
    assert joins(World(secured_nats, pki, passwords, tmp_path).who("lamp-1"), "lamp-1") == LET_IN


def test_without_mapping_nobody_gets_in_by_the_name_of_a_certificate(
    secured_nats: Secured, pki: Any, passwords: Any, tmp_path: Any
) -> None:
    """Its user would have no password."""
    world = World(secured_nats, pki, passwords, tmp_path)
    assert "gauge-1" not in (secured_nats.folder / "users.conf").read_text()
    assert joins(world.who("CN=gauge-1", ""), "gauge-1") == NOT_LET_IN
    assert asyncio.run(sync.once(secured_nats.keeping)).left_out == 2


def test_a_revoked_certificate_has_no_rights(
    secured_mosquitto: Secured,
    mapped_nats: Secured,
    pki: Any,
    passwords: Any,
    tmp_path: Any,
    identity_url: str,
) -> None:
    settings = Settings(device_key=KEY)
    for broker in (mapped_nats, secured_mosquitto):
        world = World(broker, pki, passwords, tmp_path)
        credentials.provision(identity_url, settings, Wanted(["lamp-x"], "certificate"))
        who = world.shown(pki.ours.device("lamp-x", ca.now_utc()))
        with kept(broker.keeping):
            until(lambda: joins(who, "lamp-x") == LET_IN, "it gets in", 15)  # noqa: B023
            with world.client(who, "lamp-x") as client:
                assert client.publish(f"{OURS}/lamp-x/readings") == TAKEN
                credentials.revoke(identity_url, ["lamp-x"])
                assert client.until(lambda: client.is_lost, CUT_OFF_S), broker.name


def test_our_own_parts_show_a_certificate_where_one_is_wanted(mapped_nats: Secured, pki: Any, tmp_path: Any) -> None:
    files = tmp_path / "siaga.pem", tmp_path / "siaga-key.pem"
    ca.write(pki.ours.device("siaga", ca.now_utc()), *files)
    there = parse_url(f"{mapped_nats.inside}?cert={files[0]}&key={files[1]}")
    assert there.certificate == (str(files[0]), str(files[1]))
    there.tls_context()
    with World(mapped_nats, pki, {}, tmp_path).client(
        World(mapped_nats, pki, {}, tmp_path).own(files), "siaga-x"
    ) as client:
        assert client.subscribe("siaga/v1/+/+/readings") == "granted"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"broker_users_file": "/x"}, "SIAGA_BROKER_PID_FILE is not set"),
        ({"broker_users_file": "/x", "broker_control_url": "mqtt://h"}, "set one"),
        ({"broker_control_url": "mqtt://h"}, "SIAGA_DEVICE_KEY is not set"),
        ({"broker_control_url": "http://h", "device_key": KEY}, "SIAGA_BROKER_CONTROL_URL"),
    ],
)
def test_what_is_set_wrong_is_said_at_the_start(settings: dict[str, str], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        sync.target(Settings(**settings))  # type: ignore[arg-type]


def test_the_command_does_it_once(secured_nats: Secured, passwords: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said = secured_nats.keeping
    for name in ("broker_users_file", "broker_pid_file"):
        monkeypatch.setenv(f"SIAGA_{name.upper()}", getattr(said, name))
    for name in ("database_url", "broker_monitor_url"):
        monkeypatch.setenv(f"SIAGA_{name.upper()}", getattr(said, name).get_secret_value())
    done = CliRunner().invoke(app, ["broker", "sync", "--once"])
    assert (done.exit_code, done.output) == (0, f"{len([each for each in passwords.values() if each])} users\n")
    monkeypatch.delenv("SIAGA_BROKER_USERS_FILE")
    assert "there is no broker to keep" in CliRunner().invoke(app, ["broker", "sync"]).output


async def test_a_worker_that_cannot_reach_the_broker_says_so(identity_url: str) -> None:
    """And is degraded for it: a device that was revoked might still be in."""
    wrong = Settings(
        database_url=identity_url, device_key=KEY, broker_control_url="mqtt://a:b@127.0.0.1:1", broker_sync_s=0.1
    )
    health, stop = Health(), asyncio.Event()
    health.rolled_up(health.started, time.monotonic(), 0)
    tell = health.about("broker sync")

    def report(error: str | None) -> None:
        tell(error)
        if health.state != "up":  # one failure may be a restart of the broker
            stop.set()

    await asyncio.wait_for(sync.keep(wrong, stop, report), 30)
    assert health.state == "degraded"
    assert "broker sync: SIAGA_BROKER_CONTROL_URL: 127.0.0.1:1" in health.detail


def test_a_broker_that_is_not_there_is_said(identity_url: str, secured_mosquitto: Secured, tmp_path: Any) -> None:
    wrong = Settings(database_url=identity_url, device_key=KEY, broker_control_url="mqtt://a:b@127.0.0.1:1")
    with pytest.raises(SyncError, match=r"127\.0\.0\.1:1:"):
        asyncio.run(sync.once(wrong))
    # Who is no admin may not.
    device = secured_mosquitto.inside
    with pytest.raises(SyncError, match=r"administer|does not answer|the connection is lost"):
        asyncio.run(sync.once(wrong.model_copy(update={"broker_control_url": Settings(mqtt_url=device).mqtt_url})))
    (tmp_path / "pid").write_text("1\n")  # runs, and is no NATS server
    assert nats.Nats(tmp_path / "users.conf", tmp_path / "pid", None).apply(()).users == 0
