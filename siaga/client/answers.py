"""From what the API sends to values that do not change; times are aware and in UTC. docs/api.md says what they mean.

The API may add members at any time: those that a value does not name are left out, and nothing fails. Where it has a
fixed set of words, as for states, a word that is new is no error either.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, TypeAdapter, ValidationError

from siaga.client.errors import SiagaError

Shape = TypeVar("Shape")


def read(shape: type[Shape], told: Any) -> Shape:
    """One answer as a value. Raises SiagaError if something is missing."""
    try:
        value: Shape = _adapter(cast(Hashable, shape)).validate_python(told)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, (shape.__name__, *first["loc"])))
        raise SiagaError(
            f"the API's answer is not as this client knows it: {where}: {first['msg']}. "
            "Client and server are of versions that do not go together"
        ) from None
    return value


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("has no zone")
    return at.astimezone(UTC)


@cache
def _adapter(shape: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, shape))


Time = Annotated[datetime, AfterValidator(_utc)]
Number = float | None


@dataclass(frozen=True, slots=True)
class Text:
    """Indonesian is the master, English is complete."""

    id: str
    en: str
