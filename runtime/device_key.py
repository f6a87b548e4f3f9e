"""The key that passwords of devices follow from: from the environment or a file, and never with a default."""

from __future__ import annotations

from pathlib import Path

from runtime.settings import SettingError, Settings

BYTES_MIN = 32
CURE = (
    "Make one, 32 characters or more (`openssl rand -base64 48`), and keep it: with another key no device would get in."
)


def device_key(settings: Settings) -> bytes:
    """The key. Raises SettingError where there is none, or it is too short."""
    if settings.device_key is not None:
        name, key = "SIAGA_DEVICE_KEY", settings.device_key.get_secret_value().strip().encode()
    elif settings.device_key_file is not None:
        name, key = "SIAGA_DEVICE_KEY_FILE", _read(settings.device_key_file)
    else:
        raise SettingError(f"SIAGA_DEVICE_KEY is not set, nor is SIAGA_DEVICE_KEY_FILE. {CURE}")
    if len(key) < BYTES_MIN:
        raise SettingError(f"{name}: the key has {len(key)} characters, {BYTES_MIN} at least are needed. {CURE}")
    return key


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes().strip()
    except OSError as error:
        raise SettingError(f"SIAGA_DEVICE_KEY_FILE: {file}: {error.strerror}") from None
