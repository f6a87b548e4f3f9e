"""Requests on their way: the key, waiting and trying again, and failures in words that say what to do.

Tried again is only what may be done twice: after 429 and 503, as long after as Retry-After says, and after a connection
that broke while it was in use. All tries of a request are over within patience_s.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, BinaryIO

import httpx

from siaga.client.errors import ApiError, UnreachableError
from siaga.client.values import Value, as_query

ROOT = "/api/v1"
# Where an answer does not say how long to wait, and after a connection that broke.
PAUSE_S = 1.0
# The server says something every 15 s, so a stream that is silent for so long is dead.
STREAM_SILENCE_S = 45.0
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
BROKE = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)


class Wire:
    """Connections to one API with one key. Raises ApiError and UnreachableError."""

    def __init__(
        self, url: str, key: str, timeout_s: float, patience_s: float, transport: httpx.BaseTransport | None
    ) -> None:
        self.patience_s, self._timeout_s = patience_s, timeout_s
        self._http = httpx.Client(
            base_url=_checked(url) + ROOT,
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout_s,
            transport=transport,
        )

    def close(self) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Value] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        may_repeat: bool = False,
    ) -> Any:
        """One answer, decoded; None where it is empty. may_repeat: it is tried again, as a GET always is."""
        request = self._http.build_request(method, path, params=as_query(query or {}), content=body, headers=headers)
        answer = self._sent(request, may_repeat or method == "GET")
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return None
        try:
            return answer.json()
        except ValueError:
            raise _stranger(request) from None

    def save(self, path: str, to: BinaryIO, query: Mapping[str, Value]) -> int:
        """Write an answer of any length to a file as it comes; its bytes."""
        request = self._http.build_request("GET", path, params=as_query(query))
        answer = self._sent(request, True, stream=True)
        written = 0
        with _reading(request, answer):
            for chunk in answer.iter_bytes():
                to.write(chunk)
                written += len(chunk)
        return written

    @contextmanager
    def stream(self, path: str, query: Mapping[str, Value], last_id: str | None) -> Iterator[Iterator[bytes]]:
        """The bytes of a stream of events, as they come."""
        headers = {"Accept": "text/event-stream"} | ({} if last_id is None else {"Last-Event-ID": last_id})
        patience = httpx.Timeout(self._timeout_s, read=STREAM_SILENCE_S)
        request = self._http.build_request("GET", path, params=as_query(query), headers=headers, timeout=patience)
        answer = self._sent(request, True, stream=True)
        with _reading(request, answer):
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                raise _stranger(request)
            yield answer.iter_bytes()

    def _sent(self, request: httpx.Request, may_repeat: bool, stream: bool = False) -> httpx.Response:
        """A good answer; with stream its body is still to be read."""
        deadline = time.monotonic() + self.patience_s
        again: tuple[type[httpx.HTTPError], ...] = BROKE
        while True:
            try:
                answer = self._http.send(request, stream=stream)
                if answer.is_success:
                    _tell_of_end(request, answer)
                    return answer
                answer.read()
            except httpx.HTTPError as error:
                failure: Exception = _unreachable(request, error)
                pause_s = PAUSE_S if isinstance(error, again) else None
                # Who has answered once is at the right address, and may be starting again.
                again = (*BROKE, httpx.ConnectError)
            else:
                failure = _refusal(request, answer)
                pause_s = _pause_s(answer) if answer.status_code in BUSY else None
            if not may_repeat or pause_s is None or time.monotonic() + pause_s > deadline:
                raise failure from None
            time.sleep(pause_s)


@contextmanager
def _reading(request: httpx.Request, answer: httpx.Response) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise UnreachableError(f"{_address(request)} broke off before its end: {_name(error)}") from None
    finally:
        answer.close()


def _checked(url: str) -> str:
    try:
        known = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is no address: {error}") from None
    if known.scheme not in ("http", "https") or not known.host:
        raise ValueError(f"{url!r} is no address; it begins with http:// or https:// and names a host")
    return url.rstrip("/")


def _refusal(request: httpx.Request, answer: httpx.Response) -> Exception:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    # A proxy that has nobody behind it answers for the API, and not as it would.
    if not isinstance(problem, dict) and answer.status_code not in BUSY:
        return _stranger(request, f"HTTP {answer.status_code}, ")
    told = problem if isinstance(problem, dict) else {"title": answer.reason_phrase}
    return ApiError(answer.status_code, told, answer.headers.get("x-request-id"))


def _tell_of_end(request: httpx.Request, answer: httpx.Response) -> None:
    """An address that is on its way out says so a year before (docs/api.md)."""
    sunset = answer.headers.get("sunset")
    if sunset is not None:
        warnings.warn(f"{_address(request)} is gone from {sunset} on; take a newer client", FutureWarning, stacklevel=2)


def _pause_s(answer: httpx.Response) -> float:
    told = answer.headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdigit() else PAUSE_S


def _unreachable(request: httpx.Request, error: httpx.HTTPError) -> UnreachableError:
    return UnreachableError(f"{_address(request)}: {_name(error)}. Is SIAGA_API_URL right, and the API running?")


def _stranger(request: httpx.Request, what: str = "") -> UnreachableError:
    return UnreachableError(f"{_address(request)} answered, {what}but not as Siaga's API does. Is SIAGA_API_URL right?")


def _address(request: httpx.Request) -> str:
    return f"{request.method} {request.url.copy_with(query=None)}"


def _name(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
