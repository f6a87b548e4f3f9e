"""Where the broker is: SIAGA_MQTT_URL read into its parts, for ingest and simulator alike."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

PORT, TLS_PORT = 1883, 8883


class Broker(NamedTuple):
    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool


def parse_url(url: str) -> Broker:
    """mqtt://user:password@host:port or mqtts://… Raises ValueError that says what is wrong."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Their message would show what may be half of a password.
        raise ValueError(
            "SIAGA_MQTT_URL: the port must be a number up to 65535; write / ? # [ ] in a password as %2F and so on"
        ) from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError(f"SIAGA_MQTT_URL: {parts.scheme or '?'}://… is not mqtt://host:port or mqtts://host:port")
    if port == 0:
        raise ValueError("SIAGA_MQTT_URL: port 0 is no port to connect to; 1 to 65535")
    tls = parts.scheme == "mqtts"
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Broker(parts.hostname, port or (TLS_PORT if tls else PORT), username, password, tls)
