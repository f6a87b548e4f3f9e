"""Who may publish and read what, what brokers are told of it, and where passwords come from. Nothing runs here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devices.identity import SHARED, Identity, Member, Rights, is_filter, rights_of, rights_of_shared, secret
from runtime.device_key import device_key
from runtime.settings import SettingError, Settings
from worker.broker import mosquitto, nats

KEY = b"a key of 32 characters and more, for tests"
LAMP = Member("12.09", "lamp-1")
TOPICS = ("siaga/v1/12.09/lamp-1/readings", "siaga/v1/12.09/lamp-1/status", "siaga/v1/12.09/lamp-1/command/result")


def test_a_password_follows_from_key_name_and_generation() -> None:
    made = secret(KEY, "lamp-1", 1)
    assert made == secret(KEY, "lamp-1", 1)
    assert len(made) == 32
    others = {
        secret(KEY, "lamp-1", 2),
        secret(KEY, "lamp-2", 1),
        secret(KEY, "lamp-1", 11),
        secret(KEY[::-1], "lamp-1", 1),
    }
    assert len(others | {made}) == 5
    with pytest.raises(ValueError, match="32 at least"):
        secret(b"short", "lamp-1", 1)


def test_a_device_says_what_is_its_own_and_reads_its_commands() -> None:
    assert rights_of([LAMP]) == Rights(TOPICS, ("siaga/v1/12.09/lamp-1/command",))
    assert rights_of([Member(None, "lamp-1")]).publish[0] == "siaga/v1/+/lamp-1/readings"


def test_what_is_shared_is_for_devices_without_their_own() -> None:
    assert rights_of_shared("closed", [LAMP], ["lamp-2"]) == Rights()
    assert rights_of_shared("registered", [LAMP], ["lamp-2"]) == Rights(TOPICS)
    claim = rights_of_shared("claim", [LAMP], ["lamp-2"])
    assert claim.publish[0] == "siaga/v1/+/+/readings"
    assert "siaga/v1/+/lamp-2/readings" in claim.denied
    assert claim.subscribe == ()


@pytest.mark.parametrize("topic", ["application/#", "application/+/device/+/event/up", "lns/a.b/up"])
def test_topics_of_integrations(topic: str) -> None:
    assert is_filter(topic)


@pytest.mark.parametrize(
    "topic", ["#", "+/x", "siaga/v1/#", "$SYS/#", "$MQTT/sub/x", "a//b", "a/#/b", '"', "a b", "", "a/", "/a"]
)
def test_nobody_is_given_our_topics_or_the_brokers(topic: str) -> None:
    assert not is_filter(topic)


def test_topics_become_subjects() -> None:
    assert nats.subject("siaga/v1/12.09/+/readings") == "siaga.v1.12//09.*.readings"
    assert nats.subject("application/#") == "application.>"


def test_users_of_nats_have_no_password_in_clear() -> None:
    both = (
        Identity("lamp-1", "password", 1, "$2a$04$hash", rights_of([LAMP])),
        Identity("gauge-1", "certificate", 1, "$2a$04$other", rights_of([])),
    )
    ours, lamp, gauge = nats.render(both).splitlines()[2:-1]
    assert "$SIAGA_BROKER_PASSWORD" in ours
    said = json.loads(lamp[lamp.index("permissions: ") + 13 : -1])
    assert said["publish"]["allow"][0] == "siaga.v1.12//09.lamp-1.readings"
    assert said["subscribe"]["allow"] == ["siaga.v1.12//09.lamp-1.command", "$MQTT.sub.>"]
    # Without a list NATS would allow everything.
    assert '{user: "CN=gauge-1", allowed' in gauge
    assert json.loads(gauge[gauge.index("permissions: ") + 13 : -1]) == {
        "publish": {"deny": [">"]}, "subscribe": {"deny": [">"]},
    }  # fmt: skip


def test_mosquitto_is_told_differences_only() -> None:
    there = {"same": "1", "changed": "1", "over": "1"}
    assert mosquitto.difference(there, {"same": "1", "changed": "2", "new": "1"}) == (
        ["changed", "over"], ["changed", "new"],
    )  # fmt: skip


def test_what_a_user_was_made_from_tells_its_states_apart() -> None:
    one = Identity("lamp-1", "password", 1, "", rights_of([LAMP]))
    others = [one._replace(generation=2), one._replace(mode="certificate"), one._replace(rights=rights_of([]))]
    marks = {mosquitto.fingerprint(KEY, each) for each in (one, *others)}
    assert len(marks) == 4
    assert mosquitto.fingerprint(KEY, one) == mosquitto.fingerprint(KEY, one._replace(hash="of another salt"))


def test_what_is_denied_beats_what_is_allowed() -> None:
    rights = rights_of_shared("claim", [], ["lamp-2"])
    said = list(mosquitto.rules(rights))
    assert min(each["priority"] for each in said if not each["allow"]) > max(
        each["priority"] for each in said if each["allow"]
    )


def test_who_shares_has_a_name_that_no_device_has() -> None:
    assert "." in SHARED


def test_the_key_is_long_and_from_one_place(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY + b"\n")
    assert device_key(Settings(device_key_file=str(file))) == device_key(Settings(device_key=KEY.decode())) == KEY
    for wrong, said in (
        (Settings(), "SIAGA_DEVICE_KEY is not set"),
        (Settings(device_key="short"), "SIAGA_DEVICE_KEY: the key has 5 characters"),
        (Settings(device_key_file=str(tmp_path / "none")), "SIAGA_DEVICE_KEY_FILE: .*No such file"),
    ):
        with pytest.raises(SettingError, match=said):
            device_key(wrong)
