"""Certificates of the broker and the API, where they speak TLS: whether they are believed here, and for how long."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from runtime.settings import Settings
from siaga.doctor.broker import there
from siaga.doctor.verdict import Verdict, ok, problem, warning

ANSWER_S = 5.0
WARN_DAYS, BAD_DAYS = 21, 5
RENEW = "Renew it (with certbot, Caddy or your own authority), and let the server read it again."


class Certificate(NamedTuple):
    """What a server shows. error: why it is not believed, or was not shown."""

    whose: str
    place: str
    until: datetime | None = None
    error: str = ""


def wanted(settings: Settings) -> Iterator[tuple[str, str, int]]:
    """Whose, host and port of each that the settings say speaks TLS. Raises SettingError."""
    if settings.mqtt_url is not None and (broker := there(settings)).tls:
        yield from (("broker", node.host, node.port) for node in broker.nodes)
    if settings.api_url is not None and (url := urlsplit(settings.api_url)).scheme == "https":
        yield "API", url.hostname or "", url.port or 443


def look(whose: str, host: str, port: int) -> Certificate:
    place = f"{host}:{port}"
    try:
        with (
            socket.create_connection((host, port), ANSWER_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as talk,
        ):
            shown = talk.getpeercert()
    except ssl.SSLCertVerificationError as error:
        return Certificate(whose, place, error=error.verify_message)
    except (OSError, ValueError) as error:
        return Certificate(whose, place, error=str(error))
    end = str(shown["notAfter"]) if shown else ""
    return Certificate(whose, place, datetime.fromtimestamp(ssl.cert_time_to_seconds(end), UTC))


def judge(found: Certificate, now: datetime) -> Verdict:
    check = f"certificate, {found.whose}"
    if found.until is None:
        return problem(
            check,
            f"{found.place}: {found.error or 'none is shown'}",
            f"{RENEW} One of your own authority is believed when SSL_CERT_FILE names that authority's.",
        )
    days = (found.until - now).days
    what = f"{found.place}: until {found.until:%Y-%m-%d}, {days} days"
    if days < WARN_DAYS:
        return (problem if days < BAD_DAYS else warning)(check, what, RENEW)
    return ok(check, what)
