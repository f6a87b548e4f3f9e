"""How often one caller may ask: counted in this process, a minute at a time (library `limits`).

Credentials count for themselves only once they have been accepted; before, and when they are refused, the address
counts. So nobody gets more by inventing keys, and one operator's mistake does not shut out the office.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import time
from typing import NamedTuple

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.problem_types import TOO_MANY_REQUESTS
from api.problems import Problem, respond

# What costs a query. Probes, metrics and the page's own files are for supervisors and caches.
COUNTED = ("/api/", "/sign-in")
# Accepted credentials that are remembered; one forgotten counts for its address until it is accepted again.
REMEMBERED = 10_000


class Rates(NamedTuple):
    """Requests a minute; 0: as many as they like."""

    per_key: int
    per_address: int


class Counted(NamedTuple):
    """Whose request it is, by which limit."""

    what: str
    name: str
    most: int


class RateLimited:
    """Refuses with 429 who asks too often, and says in every answer how much is left."""

    def __init__(self, app: ASGIApp, rates: Rates) -> None:
        self.app = app
        self.rates = rates
        # Windows of one minute from a caller's first request on: 10 µs a request, and what is over is forgotten.
        self._windows = FixedWindowRateLimiter(MemoryStorage())
        self._accepted: OrderedDict[bytes, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(COUNTED):
            await self.app(scope, receive, send)
            return
        credentials = _credentials(Headers(scope=scope))
        caller = self._caller(credentials, scope)
        if not caller.most:
            await self.app(scope, receive, self._remembering(credentials, scope, send, {}))
            return
        item = RateLimitItemPerMinute(caller.most)
        allowed = self._windows.hit(item, caller.what, caller.name)
        headers, wait_s = self._told(caller, item)
        if allowed:
            await self.app(scope, receive, self._remembering(credentials, scope, send, headers))
            return
        metrics.RATE_LIMITED.labels(caller.what).inc()
        await respond(_too_many(caller, wait_s, headers))(scope, receive, send)

    def _caller(self, credentials: bytes | None, scope: Scope) -> Counted:
        name = self._accepted.get(credentials) if credentials else None
        if name is not None:
            return Counted("key", name, self.rates.per_key)
        return Counted("address", _address(scope), self.rates.per_address)

    def _told(self, caller: Counted, item: RateLimitItem) -> tuple[dict[str, str], int]:
        """The headers of draft-ietf-httpapi-ratelimit-headers, and seconds until the window ends."""
        window = self._windows.get_window_stats(item, caller.what, caller.name)
        wait_s = max(ceil(window.reset_time - time()), 1)
        return {
            "RateLimit-Policy": f'"{caller.what}";q={caller.most};w=60',
            "RateLimit": f'"{caller.what}";r={window.remaining};t={wait_s}',
        }, wait_s

    def _remembering(self, credentials: bytes | None, scope: Scope, send: Send, headers: dict[str, str]) -> Send:
        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
                if credentials:
                    self._learn(credentials, scope, int(message["status"]))
            await send(message)

        return send_told

    def _learn(self, credentials: bytes, scope: Scope, status: int) -> None:
        who = scope.get("state", {}).get("who")
        if who is not None:
            self._accepted[credentials] = who.name
            self._accepted.move_to_end(credentials)
            if len(self._accepted) > REMEMBERED:
                self._accepted.popitem(last=False)
        elif status == HTTPStatus.UNAUTHORIZED:
            self._accepted.pop(credentials, None)


def _credentials(headers: Headers) -> bytes | None:
    """What a caller shows, so that it is not kept in memory as it is."""
    shown = headers.get("authorization") or headers.get("cookie")
    return hashlib.sha256(shown.encode("latin-1")).digest() if shown else None


def _address(scope: Scope) -> str:
    """Of IPv6 the network of 64 bits, which is what one subscriber has."""
    client = scope.get("client")
    if client is None:
        return "unknown"
    try:
        address = ip_address(client[0])
    except ValueError:
        return str(client[0])
    return str(IPv6Address(int(address) >> 64 << 64)) if isinstance(address, IPv6Address) else str(address)


def _too_many(caller: Counted, wait_s: int, headers: dict[str, str]) -> Problem:
    setting = "SIAGA_RATE_KEY_PER_MIN" if caller.what == "key" else "SIAGA_RATE_ADDRESS_PER_MIN"
    whose = "this key or session" if caller.what == "key" else "this address, without a key that is valid,"
    return Problem(
        TOO_MANY_REQUESTS,
        f"{whose} may ask {caller.most} times a minute ({setting}); try again in {wait_s} s",
        headers=headers | {"Retry-After": str(wait_s)},
    )
