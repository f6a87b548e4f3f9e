"""What POST /readings answers, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.shapes import Shape
from devices.batch import QuarantineReason
from storage.ledger import Outcome


class Item(Shape):
    """What became of one reading."""

    outcome: Outcome
    reason: Annotated[QuarantineReason | None, Field(description="of what is quarantined")] = None
    detail: str | None = None


class Posted(Shape):
    """What was committed; received = stored + duplicate + conflict + quarantined."""

    received: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int
    items: Annotated[list[Item], Field(description="one for each reading, in their order")]
