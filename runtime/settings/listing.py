"""The settings as `siaga settings` shows them."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import SecretStr

from runtime.settings.environment import Settings
from runtime.settings.part import PREFIX


class Described(NamedTuple):
    """One line of `siaga settings`."""

    env: str
    value: str
    unit: str
    default: str
    text: str


def describe(settings: Settings) -> list[Described]:
    """All settings with value (secrets hidden), unit and default, in the order of declaration."""
    out = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        extra = field.json_schema_extra
        unit = str(extra["unit"]) if isinstance(extra, dict) else ""
        shown = "***" if isinstance(value, SecretStr) else "" if value is None else str(value)
        default = "" if field.default is None else str(field.default)
        out.append(Described(PREFIX + name.upper(), shown, unit, default, field.description or ""))
    return out
