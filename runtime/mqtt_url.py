"""Where the broker is: SIAGA_MQTT_URL read into its parts, for ingest and simulator alike."""

from __future__ import annotations

import ssl
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

# Scheme → TLS, websockets, port where the URL names none.
SCHEMES = {
    "mqtt": (False, False, 1883),
    "mqtts": (True, False, 8883),
    "ws": (False, True, 80),
    "wss": (True, True, 443),
}
WEBSOCKET_PATH = "/mqtt"  # where brokers expect it; a path in the URL says otherwise


class Broker(NamedTuple):
    """others: host and port of the other nodes, where the broker is a cluster; all else is the same for every node."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool
    websocket: str | None = None  # the path, when MQTT goes over websockets
    others: tuple[tuple[str, int], ...] = ()
    certificate: tuple[str, str] | None = None  # files of ours and its key, where the broker wants one

    @property
    def nodes(self) -> tuple[Broker, ...]:
        """Each node by itself, in the order of the URL."""
        alone = self._replace(others=())
        return (alone, *(alone._replace(host=host, port=port) for host, port in self.others))

    def tls_context(self) -> ssl.SSLContext:
        """Public authorities, or those of SSL_CERT_FILE, are believed. Raises OSError for a certificate of ours that
        cannot be read."""
        context = ssl.create_default_context()
        if self.certificate is not None:
            context.load_cert_chain(*self.certificate)
        return context


def parse_url(url: str) -> Broker:
    """mqtt://user:password@host:port, mqtts://…, ws://…/path or wss://…; several nodes of a cluster as
    mqtt://user:password@host:port,host:port; mqtts://host:port?cert=FILE&key=FILE where the broker wants a certificate
    of ours. Raises ValueError that says what is wrong."""
    url, _, query = url.partition("?")
    try:
        parts = [urlsplit(one) for one in _each(url)]
        ports = [part.port for part in parts]
    except ValueError:
        # Their message would show what may be half of a password.
        raise ValueError(
            "SIAGA_MQTT_URL: the port must be a number up to 65535; write / ? # [ ] in a password as %2F and so on"
        ) from None
    first = parts[0]
    if first.scheme not in SCHEMES or not all(part.hostname for part in parts):
        raise ValueError(
            f"SIAGA_MQTT_URL: {first.scheme or '?'}://… is not mqtt://host:port or mqtts://host:port, nor over "
            "websockets ws://host:port/path or wss://host:port/path; several nodes as host:port,host:port"
        )
    if 0 in ports:
        raise ValueError("SIAGA_MQTT_URL: port 0 is no port to connect to; 1 to 65535")
    tls, websocket, usual_port = SCHEMES[first.scheme]
    places = [(part.hostname or "", port or usual_port) for part, port in zip(parts, ports, strict=True)]
    return Broker(
        *places[0], *_user(first), tls, _path(first) if websocket else None, tuple(places[1:]), _certificate(query)
    )  # fmt: skip


def _each(url: str) -> list[str]:
    """One URL for each node of one that names several; user, password and path are the same for all."""
    scheme, found, rest = url.partition("://")
    if not found:
        return [url]
    place, slash, path = rest.partition("/")
    user, at, hosts = place.rpartition("@")
    return [f"{scheme}://{user}{at}{host.strip()}{slash}{path}" for host in hosts.split(",")]


def _certificate(query: str) -> tuple[str, str] | None:
    said = dict(parse_qsl(query, keep_blank_values=True))
    if not said:
        return None
    if said.keys() != {"cert", "key"} or not all(said.values()):
        raise ValueError("SIAGA_MQTT_URL: after ? there may be cert=FILE&key=FILE and nothing else")
    return said["cert"], said["key"]


def _user(parts: SplitResult) -> tuple[str | None, str | None]:
    return (
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


def _path(parts: SplitResult) -> str:
    return (parts.path if parts.path != "/" else "") or WEBSOCKET_PATH
