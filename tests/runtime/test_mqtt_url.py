"""The broker's address: what is read from it, and that no refusal shows a password."""

from __future__ import annotations

import pytest

from runtime.mqtt_url import Broker, parse_url


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://broker", Broker("broker", 1883, None, None, False)),
        ("mqtts://broker", Broker("broker", 8883, None, None, True)),
        ("mqtt://broker:1884", Broker("broker", 1884, None, None, False)),
        ("mqtts://user:word@broker.example:8884/", Broker("broker.example", 8884, "user", "word", True)),
        ("mqtt://user@127.0.0.1", Broker("127.0.0.1", 1883, "user", None, False)),
        ("mqtt://[::1]:1885", Broker("::1", 1885, None, None, False)),
        ("mqtt://a%40b:p%2Fw%3A%23@h", Broker("h", 1883, "a@b", "p/w:#", False)),
        ("MQTT://h", Broker("h", 1883, None, None, False)),
        ("mqtt://h/ignored", Broker("h", 1883, None, None, False)),
        ("ws://broker", Broker("broker", 80, None, None, False, "/mqtt")),
        ("ws://user:word@broker:9001/", Broker("broker", 9001, "user", "word", False, "/mqtt")),
        ("wss://broker/other/way", Broker("broker", 443, None, None, True, "/other/way")),
        ("mqtts://u:w@a,b:99,[::1]/", Broker("a", 8883, "u", "w", True, None, (("b", 99), ("::1", 8883)))),
        ("ws://a:81,b/way", Broker("a", 81, None, None, False, "/way", (("b", 80),))),
        ("mqtt://u:a,b@h", Broker("h", 1883, "u", "a,b", False)),
    ],
)
def test_addresses(url: str, broker: Broker) -> None:
    assert parse_url(url) == broker


@pytest.mark.parametrize(
    "url",
    [
        "", "broker", "broker:1883", "http://broker", "tcp://broker", "ws://", "wss://:443", "mqtt://", "mqtt://:1883",
        "mqtt:///x", "mqtt://broker:port", "mqtt://broker:65536", "mqtt://broker:0", "mqtt://broker:-1",
        "mqtt://[::1", "mqtt:broker", "//broker", "mqtt://a,", "mqtt://,b", "mqtt://a,b:port", "mqtt://a,b:0",
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_by_the_settings_name(url: str) -> None:
    with pytest.raises(ValueError, match="SIAGA_MQTT_URL"):
        parse_url(url)


def test_the_nodes_of_a_cluster_differ_in_their_place_only() -> None:
    nodes = parse_url("mqtts://user:word@a,b:99").nodes
    assert nodes == (Broker("a", 8883, "user", "word", True), Broker("b", 99, "user", "word", True))
    assert parse_url("mqtt://a").nodes == (parse_url("mqtt://a"),)


@pytest.mark.parametrize("word", ["rah/asia", "rah#asia", "rah?asia", "[rahasia"])
def test_a_password_that_should_have_been_escaped_is_not_shown(word: str) -> None:
    with pytest.raises(ValueError, match="SIAGA_MQTT_URL") as caught:
        parse_url(f"mqtt://user:{word}@broker:1883")
    assert "rah" not in str(caught.value)
    assert "asia" not in str(caught.value)
