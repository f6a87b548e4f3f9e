"""A client's connection, and any address under /api/v1 as plain JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, BinaryIO, Self

import httpx

from runtime.settings import SettingError, Settings, load, require
from siaga.client.answers import Time, read
from siaga.client.errors import ApiError
from siaga.client.values import Value, as_body
from siaga.client.wire import Wire

TIMEOUT_S = 60.0
PATIENCE_S = 30.0
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Me:
    name: str
    role: str
    regions: tuple[str, ...] | None
    region: str
    regency: str
    time_zone: str
    now: Time


class Plain:
    """An API with a key. patience_s: for so long what may be repeated is, while the API is busy or starts again."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._wire = Wire(url, key, timeout_s, patience_s, transport)

    @classmethod
    def from_settings(cls, settings: Settings, **options: Any) -> Self:
        """With SIAGA_API_URL and SIAGA_API_KEY. Raises SettingError."""
        if settings.api_url is None:
            raise SettingError('SIAGA_API_URL is not set; for a running `siaga up`: eval "$(siaga env)"')
        key = require(settings.api_key, "SIAGA_API_KEY")
        try:
            return cls(settings.api_url, key, **options)
        except ValueError as error:
            raise SettingError(f"SIAGA_API_URL: {error}") from None

    @classmethod
    def from_environment(cls, **options: Any) -> Self:
        """The same, from the environment of this process."""
        return cls.from_settings(load(), **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._wire.close()

    def ask(self, method: str, path: str, json: Any = None, seen: int | None = None, **query: Value) -> Any:
        """One answer. seen: the version that must not have changed since, for addresses that want If-Match."""
        headers = (JSON if json is not None else {}) | ({} if seen is None else {"If-Match": f'"{seen}"'})
        return self._wire.ask(method, path, query, None if json is None else as_body(json), headers)

    def get(self, path: str, **query: Value) -> Any:
        return self._wire.ask("GET", path, query)

    def find(self, path: str, **query: Value) -> Any | None:
        """What may not be there."""
        try:
            return self.get(path, **query)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def items(self, path: str, **query: Value) -> Iterator[dict[str, Any]]:
        """A collection, page after page."""
        while True:
            page = self.get(path, **query)
            yield from page["items"]
            if page.get("next_cursor") is None:
                return
            query["cursor"] = page["next_cursor"]

    def save(self, path: str, to: BinaryIO, **query: Value) -> int:
        """Write an answer of any length to a file as it comes; its bytes. After an error the file is not whole."""
        return self._wire.save(path, to, query)

    def csv(self, path: str, to: BinaryIO, **query: Value) -> int:
        """Write a list as one CSV, all of it unless limited; its bytes."""
        return self.save(path, to, **query, format="csv")

    def me(self) -> Me:
        """Who is asking, and where this installation stands."""
        return read(Me, self.get("/me"))
