"""What the modules of settings here have in common."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "SIAGA_"
# As in devices/topics.py, which this package may not import.
REGION = r"^[0-9]{2}(\.[0-9]{2}(\.[0-9]{2}(\.[0-9]{4})?)?)?$"


class Part(BaseSettings):
    """Settings that belong together, with what is checked of them. Validators of all parts share their names' space."""

    # Built when first made: of eight parts and Settings, Settings alone (5 ms less at each start).
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", defer_build=True)


def setting(default: Any, unit: str, text: str, **limits: Any) -> Any:
    return Field(default=default, description=text, json_schema_extra={"unit": unit}, **limits)


def not_less(most: int, info: ValidationInfo, usual: str) -> int:
    """The longest that may be asked for. Raises ValueError where it is less than what is given unasked: then whoever
    asks for nothing would be refused."""
    if most < info.data.get(usual, most):
        raise ValueError(f"Input should not be less than {PREFIX}{usual.upper()}, {info.data[usual]}")
    return most


def pieces(text: str | None) -> list[str]:
    return [piece.strip() for piece in (text or "").split(",") if piece.strip()]
