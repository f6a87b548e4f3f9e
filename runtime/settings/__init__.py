"""Every setting of every part, read from the environment (prefix SIAGA_) and shown by `siaga settings`.

A setting names its unit and says what happens at its limit. Secrets have no defaults.
"""

from __future__ import annotations

from runtime.settings.environment import SettingError, Settings, load, require
from runtime.settings.listing import Described, describe
from runtime.settings.part import PREFIX, REGION

__all__ = ["PREFIX", "REGION", "Described", "SettingError", "Settings", "describe", "load", "require"]
