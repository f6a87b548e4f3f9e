"""How long alerts may be silenced, what reports of them cover, and who is told."""

from __future__ import annotations

from pydantic import SecretStr

from runtime.settings.part import Part, setting


class AlertSettings(Part):
    """Alerts and notices."""

    # alerts
    shelve_max_h: float = setting(
        12, "h", "how long an operator may shelve an alert; it then comes back by itself", ge=0.1, le=720
    )
    shelve_engineer_max_h: float = setting(
        168, "h", "how far ahead an engineer or admin may shelve an alert", ge=0.1, le=8_760
    )
    window_max_days: int = setting(
        30, "days", "how long maintenance may last, and how far ahead it may be planned", ge=1, le=3_650
    )
    kpi_days_max: int = setting(92, "days", "range of one report of /alerts/kpi at most", ge=1, le=366)
    advice_days_max: int = setting(
        31, "days", "range of stored readings that one answer of /alerts/advice replays at most", ge=1, le=366
    )
    advice_actors_max: int = setting(
        10, "rules on devices", "how many one answer of /alerts/advice is about at most", ge=1, le=100
    )
    advice_readings_max: int = setting(
        100_000,
        "readings",
        "replayed for one answer of /alerts/advice at most, shared evenly; of more the newest count",
        ge=1_000,
        le=10_000_000,
    )

    # worker (notices)
    notify_urls: SecretStr | None = setting(
        None, "Apprise URLs", "where notices go, separated by spaces; none = nowhere"
    )
    notify_min_severity: int = setting(2, "0 low … 3 critical", "least severity that sends a notice", ge=0, le=3)
    notice_plan: str | None = setting(
        None,
        "file",
        "TOML file that says who is told of what, when and on which channel (docs/notices.md), instead of "
        "SIAGA_NOTIFY_URLS and SIAGA_NOTIFY_MIN_SEVERITY; none = what those say",
        min_length=1,
    )
    notice_lines_max: int = setting(
        10, "lines", "alerts named in one message; of the others only how many", ge=1, le=100
    )
    duty_max_days: int = setting(31, "days", "how long a shift of the roster may last", ge=1, le=366)

    @property
    def notice_severity(self) -> int:
        """Least severity of what the worker is asked about: a plan says itself what it does not want."""
        return 0 if self.notice_plan else self.notify_min_severity
