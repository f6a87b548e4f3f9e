"""Settings that are dangerous, and ports that are open to the network without TLS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from runtime.settings import Settings
from siaga.doctor.verdict import Verdict, ok, warning
from storage.checkup import Waiting

PASSWORD_MIN = 12
LISTEN = "0A"  # of /proc/net/tcp


class Place(NamedTuple):
    """Where something is that this machine talks to, and how."""

    whose: str
    host: str
    port: int
    tls: bool
    password: str | None = None
    user: str | None = None

    @property
    def is_here(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Also a folder of a Unix socket, and no host at all."""
    if not host or host == "localhost" or host.startswith("/"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def open_ports(tables: Mapping[str, str]) -> frozenset[int]:
    """Ports on which this machine listens to others than itself; the text of /proc/net/tcp and tcp6, by name."""
    found = set()
    for text in tables.values():
        for line in text.splitlines()[1:]:
            words = line.split()
            if len(words) > 3 and words[3] == LISTEN:
                address, _, port = words[1].partition(":")
                if not _own(address):
                    found.add(int(port, 16))
    return frozenset(found)


def judge(
    settings: Settings, places: list[Place], listening: frozenset[int], waiting: Waiting | None
) -> Iterator[Verdict]:
    if waiting is not None:
        yield _admin(settings, waiting)
    yield _limits(settings)
    yield _cors(settings)
    if waiting is not None and settings.broker_users_file is not None:
        yield _session(waiting)
    for each in places:
        yield from _place(each, listening)
    yield _api(settings)


def _admin(settings: Settings, waiting: Waiting) -> Verdict:
    if waiting.admins or waiting.admin_keys or settings.oidc_issuer:
        return ok("admin", f"{waiting.admins} people and {waiting.admin_keys} keys may administer")
    return warning(
        "admin", "nobody may administer this installation", "Make the first: `siaga users create NAME --role admin`."
    )


def _limits(settings: Settings) -> Verdict:
    none = [
        name
        for name, limit in (
            ("SIAGA_RATE_KEY_PER_MIN", settings.rate_key_per_min),
            ("SIAGA_RATE_ADDRESS_PER_MIN", settings.rate_address_per_min),
        )
        if limit == 0
    ]
    if none:
        return warning("rate limits", f"{' and '.join(none)} 0: one client can take all of the API", "Set a limit.")
    return ok("rate limits", "set")


def _cors(settings: Settings) -> Verdict:
    plain = [
        each
        for each in settings.origins
        if each.startswith("http://") and not is_loopback(urlsplit(each).hostname or "")
    ]
    if plain:
        return warning(
            "CORS",
            f"{', '.join(plain)} may call the API: whoever sits between can change that page",
            "Name it by https:// in SIAGA_CORS_ORIGINS.",
        )
    return ok("CORS", f"{len(settings.origins)} sites" if settings.origins else "no other site may call the API")


def _session(waiting: Waiting) -> Verdict:
    """On NATS a client id is nobody's: any device that is let in could throw away what waits for ingest."""
    check = "session of ingest"
    if waiting.guessable:
        name = waiting.guessable[0]
        return warning(
            check,
            f"its client id {name!r} can be guessed: a device with a credential could end the session, and what the "
            "broker has acknowledged meanwhile would be lost",
            f"While nothing waits, stop ingest, DELETE FROM ingest_session WHERE client_id = '{name}', and start it: "
            "the new session has a random end (docs/identity.md).",
        )
    return ok(check, "nobody can guess its client id")


def _place(there: Place, listening: frozenset[int]) -> Iterator[Verdict]:
    check = f"{there.whose} access"
    weak = there.password is not None and (len(there.password) < PASSWORD_MIN or there.password == there.user)
    if weak:
        yield warning(
            check,
            "the password is short",
            f"Take a random one of {PASSWORD_MIN} characters or more: openssl rand -hex 24.",
        )
    if there.tls:
        yield ok(check, "with TLS")
    elif not there.is_here:
        yield warning(
            check,
            f"{there.host}:{there.port} without TLS: password and readings can be read on the way",
            "Use TLS, unless both are alone on their network (docs/security.md).",
        )
    elif there.port in listening:
        yield warning(
            check,
            f"port {there.port} is open to other machines, without TLS",
            "Let it listen on loopback only, or give it TLS and a firewall.",
        )
    elif not weak:
        yield ok(check, "on this machine only")


def _api(settings: Settings) -> Verdict:
    if is_loopback(settings.api_host):
        return ok("API access", "listens on this machine only")
    if settings.proxies:
        return ok("API access", f"listens on {settings.api_host}, behind {settings.trusted_proxies}")
    return warning(
        "API access",
        f"listens on {settings.api_host} without TLS, and no proxy is named",
        "Set SIAGA_API_HOST=127.0.0.1 behind a proxy with TLS, or name the proxy in SIAGA_TRUSTED_PROXIES.",
    )


def _own(address: str) -> bool:
    """Whether an address of /proc/net/tcp is loopback: 32-bit words, each with its bytes turned round."""
    if len(address) == 8:
        return address.endswith("7F")
    v4_mapped = address.startswith("0000000000000000FFFF0000")
    return address == "0" * 24 + "01000000" or (v4_mapped and address.endswith("7F"))
