"""What ingest takes, how much of it at once, and what it refuses."""

from __future__ import annotations

import re

from pydantic import field_validator

from runtime.settings.part import REGION, Part, setting


class IngestSettings(Part):
    """The settings of an ingest process."""

    # ingest
    ingest_client_id: str = setting(
        "siaga-ingest",
        "MQTT client id",
        "names the persistent session; keep it stable. One that begins with siaga-ingest gets a random end at the "
        "broker, any other is taken as it is (docs/identity.md)",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
    )
    ingest_regions: str = setting(
        "+",
        "Kemendagri codes",
        "regions this ingest process serves, separated by commas; + for all",
        min_length=1,
    )
    ingest_inflight: int = setting(
        20_000,
        "packets",
        "unacknowledged packets held in memory before reading from the broker pauses",
        ge=100,
        le=65_000,
    )
    ingest_buffer_mb: int = setting(
        64, "MiB", "payload bytes held in memory before reading from the broker pauses", ge=1, le=4096
    )
    batch_max: int = setting(5_000, "packets", "packets committed in one transaction at most", ge=1, le=50_000)
    batch_max_mb: int = setting(
        4, "MiB", "payload bytes decoded for one transaction, give or take a packet", ge=1, le=1024
    )
    batch_wait_ms: int = setting(
        30, "ms", "how long a small batch waits for more packets before it is committed", ge=0, le=10_000
    )
    payload_max_bytes: int = setting(
        262_144, "bytes", "a larger payload goes to quarantine as too_large", ge=1_024, le=16_777_216
    )
    array_max: int = setting(1_000, "readings", "more in one payload go to quarantine as too_large", ge=1, le=100_000)
    future_max_s: int = setting(
        300,
        "s",
        "a reading further ahead of our clock goes to quarantine as future_timestamp",
        ge=0,
        le=86_400,
    )
    live_window_s: int = setting(
        900, "s", "an older reading is marked late: it changes history, never live alerts", ge=60, le=86_400
    )
    age_max_days: int = setting(3_650, "days", "an older reading goes to quarantine as too_old", ge=1, le=36_500)
    quarantine_device_day: int = setting(
        1_000,
        "entries",
        "payloads kept per device and day; past it they are only counted",
        ge=1,
        le=1_000_000,
    )
    decoders: str | None = setting(
        None, "file", "TOML file of sources whose format or topics are not ours (docs/decoders.md); none = native only"
    )
    uplink_copy_s: int = setting(
        120, "s", "two frames of one session and counter whose times are no further apart are one", ge=0, le=86_400
    )
    replay_batch: int = setting(
        50, "entries", "quarantine entries replayed at most before ingest turns to what arrives", ge=1, le=10_000
    )
    inbox_poll_s: float = setting(0.2, "s", "how often ingest looks for readings that came over HTTP", ge=0.01, le=60)
    command_poll_s: float = setting(
        0.25, "s", "how often ingest looks for commands that devices are to be told", ge=0.05, le=60
    )
    stale_check_s: int = setting(10, "s", "how often silent devices are looked for", ge=1, le=600)
    fleet_reload_s: int = setting(5, "s", "how often ingest looks for changed devices", ge=1, le=600)
    stream_silent_s: int | None = setting(
        None,
        "s",
        "the stream counts as silent after so long without a commit; none = 120 s more than the quickest kind of "
        "device in service takes between two readings",
        ge=10,
        le=86_400,
    )
    ingest_let_go_s: int = setting(
        120, "s", "ingest leaves the broker when nothing could be committed for so long", ge=5, le=86_400
    )
    database_retry_max_s: int = setting(
        30, "s", "longest sleep between two tries while the database is away", ge=1, le=600
    )
    ingest_metrics_port: int = setting(
        0, "port", "port on SIAGA_API_HOST where Prometheus finds the metrics of ingest; 0 = nowhere", ge=0, le=65535
    )

    @field_validator("ingest_regions")
    @classmethod
    def _known_regions(cls, text: str) -> str:
        codes = [code.strip() for code in text.split(",") if code.strip()]
        wrong = [code for code in codes if code != "+" and not re.fullmatch(REGION, code)]
        if wrong or not codes:
            found = repr(wrong[0]) if wrong else "an empty list"
            raise ValueError(f"{found} is no region; use Kemendagri codes such as 12.09, separated by commas, or +")
        return text

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(code.strip() for code in self.ingest_regions.split(",") if code.strip())
