"""What callers send, taken as its schema says and no further: a member that nobody reads is refused, as is 0 for a time
or true for a number."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _text(value: Any) -> Any:
    """Raises ValueError for a number, which pydantic would take as seconds since 1970."""
    if not isinstance(value, str):
        raise ValueError("must be a text, as 2026-11-24T12:00:00Z")
    return value


def _number(value: Any) -> Any:
    """Raises ValueError for what pydantic would turn into a number. 30.0 is whole, in JSON and its schemas."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a whole number")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_text)]
# After the bounds of a number: before them these would not be in its schema.
WHOLE = BeforeValidator(_number)
