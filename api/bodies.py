"""What callers send, taken as its schema says and no further: a member that nobody reads is refused, as is 0 for a time
or true for a number."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _text(value: Any) -> Any:
    """Raises ValueError for a number, which pydantic would take as seconds since 1970."""
    if not isinstance(value, str):
        raise ValueError("must be a text, as 2026-11-24T12:00:00Z")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_text)]
Whole = Annotated[int, Field(strict=True)]
