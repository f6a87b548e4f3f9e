"""Where the broker is: SIAGA_MQTT_URL read into its parts, for ingest and simulator alike."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

# Scheme → TLS, websockets, port where the URL names none.
SCHEMES = {
    "mqtt": (False, False, 1883),
    "mqtts": (True, False, 8883),
    "ws": (False, True, 80),
    "wss": (True, True, 443),
}
WEBSOCKET_PATH = "/mqtt"  # where brokers expect it; a path in the URL says otherwise


class Broker(NamedTuple):
    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool
    websocket: str | None = None  # the path, when MQTT goes over websockets


def parse_url(url: str) -> Broker:
    """mqtt://user:password@host:port, mqtts://…, ws://…/path or wss://… Raises ValueError that says what is wrong."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Their message would show what may be half of a password.
        raise ValueError(
            "SIAGA_MQTT_URL: the port must be a number up to 65535; write / ? # [ ] in a password as %2F and so on"
        ) from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError(
            f"SIAGA_MQTT_URL: {parts.scheme or '?'}://… is not mqtt://host:port or mqtts://host:port, nor over "
            "websockets ws://host:port/path or wss://host:port/path"
        )
    if port == 0:
        raise ValueError("SIAGA_MQTT_URL: port 0 is no port to connect to; 1 to 65535")
    tls, websocket, usual_port = SCHEMES[parts.scheme]
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    path = (parts.path if parts.path != "/" else "") or WEBSOCKET_PATH
    return Broker(parts.hostname, port or usual_port, username, password, tls, path if websocket else None)
