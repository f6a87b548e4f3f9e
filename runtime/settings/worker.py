"""What the worker makes of readings, what it watches, and how long things are kept."""

from __future__ import annotations

import re

from pydantic import field_validator

from runtime.settings.part import Part, setting

LEVELS = ("raw", "5m", "1h", "1d")
KEEP_DAYS_MAX = 36_500


class WorkerSettings(Part):
    """Storage, and the rest of what the worker does."""

    # worker
    rollup_batch: int = setting(
        500,
        "device buckets",
        "5-minute buckets of single devices rolled up in one transaction at most; at least one of a whole kind",
        ge=1,
        le=100_000,
    )
    broker_full_pct: int = setting(
        80, "%", "an alert is raised when the broker holds this share of its limit", ge=1, le=100
    )
    broker_limit_bytes: int | None = setting(
        None,
        "bytes",
        "how much the broker may hold, where it does not say so itself (Mosquitto); none = unknown, no alert",
        ge=1,
        le=1 << 50,
    )
    quarantine_keep_days: int = setting(
        90,
        "days",
        "payloads of replayed or discarded quarantine entries not seen for so long are dropped, their rows stay; "
        "0 = kept for ever",
        ge=0,
        le=36_500,
    )
    retention_raw_days: int = setting(
        90, "days", "older readings are dropped, whole weeks at a time; 0 = kept for ever", ge=0, le=KEEP_DAYS_MAX
    )
    retention_5m_days: int = setting(
        730,
        "days",
        "older 5-minute rollups are dropped, four weeks at a time; 0 = kept for ever",
        ge=0,
        le=KEEP_DAYS_MAX,
    )
    retention_1h_days: int = setting(
        3_650,
        "days",
        "older hourly rollups are dropped, 52 weeks at a time; 0 = kept for ever",
        ge=0,
        le=KEEP_DAYS_MAX,
    )
    retention_1d_days: int = setting(
        0,
        "days",
        "older daily rollups are dropped, 52 weeks at a time; 0 = kept for ever",
        ge=0,
        le=KEEP_DAYS_MAX,
    )
    retention: str = setting(
        "",
        "kind.level=days, …",
        "what is kept otherwise of some kinds: streetlight.raw=30, water_level.raw=0; levels are raw, 5m, 1h, 1d",
    )
    retention_every_h: float = setting(1, "h", "how often what has had its time is looked for", ge=0.01, le=168)
    archive_dir: str | None = setting(
        None,
        "folder",
        "readings are written to Parquet files there before they are dropped (docs/storage.md); none = just dropped",
        min_length=1,
    )
    forecast_horizon_h: float = setting(
        6, "h", "how far ahead siaga levels are forecast; what has not come by then was false", ge=0.5, le=48
    )
    forecast_keep_days: int = setting(
        365, "days", "older forecasts, and what became of them, are deleted; 0 = kept for ever", ge=0, le=KEEP_DAYS_MAX
    )
    command_keep_days: int = setting(
        90, "days", "commands that ended longer ago are deleted; the audit log keeps who asked for them", ge=1, le=3_650
    )
    worker_metrics_port: int = setting(
        0, "port", "port on SIAGA_API_HOST where Prometheus finds the worker's metrics; 0 = nowhere", ge=0, le=65535
    )

    @field_validator("retention")
    @classmethod
    def _known_levels(cls, text: str) -> str:
        _kept_otherwise(text)
        return text

    def keep_days(self, kind: str, level: str) -> int:
        """How many days a level of a kind is kept; 0: for ever."""
        general: int = getattr(self, f"retention_{level}_days")
        return _kept_otherwise(self.retention).get((kind, level), general)

    @property
    def kinds_kept_otherwise(self) -> frozenset[str]:
        """Kinds that SIAGA_RETENTION names; whether there are such kinds nobody knows here."""
        return frozenset(kind for kind, _ in _kept_otherwise(self.retention))


def _kept_otherwise(text: str) -> dict[tuple[str, str], int]:
    """Days by kind and level, of SIAGA_RETENTION. Raises ValueError."""
    found: dict[tuple[str, str], int] = {}
    for piece in filter(None, map(str.strip, text.split(","))):
        match = re.fullmatch(r"(\w+)\.(\w+)\s*=\s*(-?\d{1,9})", piece)
        if match is None:
            raise ValueError(f"{piece!r} is not kind.level=days, as streetlight.raw=30")
        kind, level, days = match[1], match[2], int(match[3])
        if level not in LEVELS:
            raise ValueError(f"{piece}: {level!r} is no level; use one of {', '.join(LEVELS)}")
        if not 0 <= days <= KEEP_DAYS_MAX:
            raise ValueError(f"{piece}: days must be 0 (for ever) to {KEEP_DAYS_MAX}")
        if (kind, level) in found:
            raise ValueError(f"{kind}.{level} is there twice")
        found[kind, level] = days
    return found
