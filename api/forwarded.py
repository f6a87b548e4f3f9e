"""Who really asks, when a proxy stands before us. What a proxy says is believed only of those that are named.

Of X-Forwarded-For the last address counts that is no proxy of ours: what stands before it the client may have written.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

Network = IPv4Network | IPv6Network
# In the scope of a request: whether the peer is a proxy of ours, so that its X-Request-Id and traceparent count.
TRUSTED = "siaga.trusted"


def client_of(peer: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """The address of who asks: the peer, or where that is a proxy of ours, whom it says it asks for."""
    address = peer
    for said in reversed(forwarded_for.split(",")):
        if not is_proxy(address, proxies):
            break
        try:
            address = str(ip_address(said.strip()))
        except ValueError:  # no address: the last one known is better than what anybody may have written
            break
    return address


def is_proxy(address: str, proxies: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in proxies)


class Forwarded:
    """Outermost: sets client and scheme of a request from what a trusted proxy says."""

    def __init__(self, app: ASGIApp, proxies: Sequence[Network]) -> None:
        self.app = app
        self.proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if scope["type"] == "http" and client and is_proxy(client[0], self.proxies):
            headers = Headers(scope=scope)
            scope[TRUSTED] = True
            scope["client"] = (client_of(client[0], ",".join(headers.getlist("x-forwarded-for")), self.proxies), 0)
            # A chain may name several; the last is what the proxy next to us was asked with.
            scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
            if scheme in ("http", "https"):
                scope["scheme"] = scheme
        await self.app(scope, receive, send)
