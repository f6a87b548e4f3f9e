"""Where this installation stands, and where its settings are."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import field_validator

from runtime.settings.part import REGION, Part, setting


class InstallationSettings(Part):
    """What all parts of an installation have in common."""

    # where the settings themselves are
    secrets_dir: str | None = setting(
        None,
        "folder",
        "settings in files, each named as the setting (siaga_database_url): secrets of containers; what the "
        "environment says counts more; none = environment only",
        min_length=1,
    )

    # where this installation stands
    region: str = setting(
        "12.09",
        "Kemendagri code",
        "the regency on screen, and of readings that come by HTTP; dots as in 12.09",
        pattern=REGION,
    )
    regency: str = setting("Kabupaten Asahan", "name", "name of the regency on screens and in notices")
    time_zone: str = setting("Asia/Jakarta", "IANA zone", "zone of screens, notices and calendar days")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "INFO", "level", "least that is logged: DEBUG, INFO, WARNING or ERROR"
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"unknown time zone {name!r}; use an IANA name such as Asia/Jakarta") from None
        return name

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, level: object) -> object:
        return level.upper() if isinstance(level, str) else level

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)
