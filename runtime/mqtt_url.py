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
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError(f"SIAGA_MQTT_URL: {parts.scheme or '?'}://… is not mqtt://host:port or mqtts://host:port")
    tls = parts.scheme == "mqtts"
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Broker(parts.hostname, parts.port or (TLS_PORT if tls else PORT), username, password, tls)
