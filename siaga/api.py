"""Our HTTP API as the command line asks it: pages followed, refusals in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx

from runtime.settings import Settings, require

TIMEOUT_S = 60.0


class ApiError(Exception):
    """The API refused, or could not be reached; the message says why."""


class Api:
    """The API with a key. What it asks raises ApiError."""

    def __init__(self, settings: Settings) -> None:
        if settings.api_url is None:
            raise ApiError('SIAGA_API_URL is not set; for a running `siaga up`: eval "$(siaga env)"')
        headers = {"Authorization": f"Bearer {require(settings.api_key, 'SIAGA_API_KEY')}"}
        self._url = settings.api_url.rstrip("/")
        self._client = httpx.Client(base_url=self._url, headers=headers, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """One answer."""
        status, told = self._answer(method, path, **more)
        if status >= 400:
            raise ApiError(_problem(status, told))
        return told

    def find(self, path: str) -> dict[str, Any] | None:
        """What may not be there."""
        status, told = self._answer("GET", path)
        if status == 404:
            return None
        if status >= 400:
            raise ApiError(_problem(status, told))
        return told

    def items(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """A collection, page after page."""
        params = given(query)
        while True:
            page = self.ask("GET", path, params=params)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    def _answer(self, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        url = self._url + path
        try:
            answer = self._client.request(method, path, **more)
            return answer.status_code, answer.json()
        except httpx.HTTPError as error:
            why = f"{type(error).__name__}: {error}".rstrip(": ")
            raise ApiError(f"{url}: {why}. Is SIAGA_API_URL right, and the API running?") from None
        except ValueError:
            raise ApiError(f"{url} answered, but not as Siaga's API does. Is SIAGA_API_URL right?") from None


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was said, without what was left out."""
    return {name: value for name, value in values.items() if value is not None}


def _problem(status: int, told: Any) -> str:
    """An error answer in one line, with what to do about it."""
    parts = [f"HTTP {status}"]
    if isinstance(told, dict):
        parts += [str(told.get(name) or "") for name in ("title", "detail")]
        parts += [f"{each.get('field')}: {each.get('message')}" for each in told.get("errors") or []]
    text = "; ".join(part for part in dict.fromkeys(parts) if part)
    if status in (401, 403):
        text += ". SIAGA_API_KEY must be a key with role viewer to list, operator to show, engineer to act"
    return text
