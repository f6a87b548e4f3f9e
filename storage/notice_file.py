"""The notice plan that the settings name: a file, read again when it changes, or one made of two settings."""

from __future__ import annotations

from pathlib import Path

from alerts.notice_plan import Plan, PlanError, parse, simple
from runtime.settings import SettingError, Settings


def read(file: Path) -> Plan:
    """The plan in a file. Raises PlanError, also where it cannot be read."""
    try:
        return parse(file.read_text("utf-8"), str(file))
    except OSError as error:
        raise PlanError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise PlanError(f"{file}: is no text in UTF-8") from None


def of_settings(settings: Settings) -> Plan:
    """The plan as it is now. Raises PlanError."""
    if settings.notice_plan is not None:
        return read(Path(settings.notice_plan))
    urls = settings.notify_urls.get_secret_value() if settings.notify_urls else None
    return simple(urls, settings.notify_min_severity)


class NoticeFile:
    """The plan in force. Made from a file that is wrong it raises SettingError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen = self._look()
        try:
            self.plan = of_settings(settings)
        except PlanError as error:
            raise SettingError(f"SIAGA_NOTICE_PLAN: {error}") from None

    def reload(self) -> bool:
        """Read the file again if it is another one now; True if it was. Raises PlanError, once, and keeps the old."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        self.plan = of_settings(self._settings)
        return True

    def _look(self) -> tuple[int, int, int] | None:
        if self._settings.notice_plan is None:
            return None
        try:
            found = Path(self._settings.notice_plan).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
