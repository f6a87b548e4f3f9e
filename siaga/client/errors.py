"""What a client raises: the API refused (ApiError), or what answers is not there or not the API (UnreachableError)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ABOUT_KEYS = (
    "The key (SIAGA_API_KEY) must be valid, with role viewer to read, operator to act on alerts and to see payloads, "
    "engineer to change anything else"
)


class SiagaError(Exception):
    """Siaga did not do what was asked; the message says why, and what to do."""


class UnreachableError(SiagaError):
    """Nobody answered, the connection broke, or what answered is not Siaga's API."""


class ApiError(SiagaError):
    """The API refused: an RFC 9457 problem as attributes. current: the state that a 409 or 412 tells."""

    def __init__(self, status: int, problem: Mapping[str, Any], request_id: str | None = None) -> None:
        self.status = status
        self.type: str = problem.get("type") or "about:blank"
        self.title: str = problem.get("title") or ""
        self.detail: str = problem.get("detail") or ""
        self.errors: tuple[Mapping[str, Any], ...] = tuple(problem.get("errors") or ())
        self.current: dict[str, Any] | None = problem.get("current")
        self.request_id = request_id
        super().__init__(self._message())

    def _message(self) -> str:
        fields = (f"{each.get('field')}: {each.get('message')}" for each in self.errors)
        parts = dict.fromkeys((f"HTTP {self.status}", self.title, self.detail, *fields))
        text = "; ".join(part for part in parts if part)
        if self.status in (401, 403):
            text += f". {ABOUT_KEYS}"
        if self.status >= 500 and self.request_id:
            text += f" (request {self.request_id})"
        return text
