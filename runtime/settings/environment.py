"""All settings of a process, as its environment has them."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from runtime.settings.alerts import AlertSettings
from runtime.settings.api import ApiSettings
from runtime.settings.ingest import IngestSettings
from runtime.settings.installation import InstallationSettings
from runtime.settings.part import PREFIX
from runtime.settings.places import PlaceSettings
from runtime.settings.queries import QuerySettings
from runtime.settings.sign_in import SignInSettings
from runtime.settings.worker import WorkerSettings


class SettingError(Exception):
    """A setting is missing or out of its range; the message names it and the cure."""


# pydantic takes the fields of the last class first: read from the bottom up, this is the order of `siaga settings`.
class Settings(
    QuerySettings,
    SignInSettings,
    ApiSettings,
    WorkerSettings,
    AlertSettings,
    IngestSettings,
    InstallationSettings,
    PlaceSettings,
):
    """The settings of one process; frozen once read."""


def load() -> Settings:
    """Read the environment, and the files of SIAGA_SECRETS_DIR. Raises SettingError naming each wrong setting and its
    limit."""
    from pydantic import ValidationError

    folder = os.environ.get(f"{PREFIX}SECRETS_DIR")
    if folder and not Path(folder).is_dir():
        raise SettingError(f"{PREFIX}SECRETS_DIR: {folder} is no folder")
    try:
        return Settings(_secrets_dir=folder or None)
    except ValidationError as error:
        lines = [f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']} (got {e['input']!r})" for e in error.errors()]
        raise SettingError("\n".join(lines)) from None


def require(secret: SecretStr | None, env: str) -> str:
    """The secret's text. Raises SettingError when it is not set."""
    if secret is None:
        raise SettingError(f"{env} is not set. Set it, or start everything on one machine with `siaga up`.")
    return secret.get_secret_value()
