"""Every setting of every part, read from the environment (prefix SIAGA_) and shown by `siaga settings`.

A setting names its unit and says what happens at its limit. Secrets have no defaults.
"""

from __future__ import annotations

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "SIAGA_"
# As in devices/topics.py, which this package may not import.
REGION = r"^[0-9]{2}(\.[0-9]{2}(\.[0-9]{2}(\.[0-9]{4})?)?)?$"
LEVELS = ("raw", "5m", "1h", "1d")
KEEP_DAYS_MAX = 36_500


class SettingError(Exception):
    """A setting is missing or out of its range; the message names it and the cure."""


def _setting(default: Any, unit: str, text: str, **limits: Any) -> Any:
    return Field(default=default, description=text, json_schema_extra={"unit": unit}, **limits)


class Settings(BaseSettings):
    """The settings of one process; frozen once read."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    # where the other parts are
    database_url: SecretStr | None = _setting(
        None,
        "url",
        "PostgreSQL or TimescaleDB: postgresql://user:password@host:port/name; with a standby as "
        "host:port,host:port/name?target_session_attrs=read-write",
    )
    database_read_url: SecretStr | None = _setting(
        None,
        "url",
        "where queries of the API that only read go, a streaming replica as a rule (docs/scaling.md): they show what "
        "it has replayed; none = SIAGA_DATABASE_URL",
    )
    mqtt_url: SecretStr | None = _setting(
        None,
        "url",
        "MQTT broker: mqtt://user:password@host:port; mqtts:// for TLS, ws:// or wss:// for websockets; the nodes of a "
        "cluster as host:port,host:port, tried in turn",
    )
    api_url: str | None = _setting(
        None, "url", "where clients of ours find the API: simulator, commands of `siaga`, links in notices"
    )
    api_key: SecretStr | None = _setting(
        None, "key", "API key of these clients; the simulator registers its fleet with it"
    )
    api_host: str = _setting("127.0.0.1", "address", "address the API listens on, and the metrics of ingest and worker")
    api_port: int = _setting(8800, "port", "port the API listens on", ge=0, le=65535)

    broker_monitor_url: SecretStr | None = _setting(
        None,
        "url",
        "where the worker asks how much the broker holds: http://host:port of a NATS server's monitoring, or for "
        "Mosquitto's $SYS a URL as in SIAGA_MQTT_URL; none = not asked",
    )

    # who may connect to the broker (docs/identity.md)
    device_key: SecretStr | None = _setting(
        None, "key", "passwords of devices follow from it: 32 characters or more, random, and kept for ever"
    )
    device_key_file: str | None = _setting(
        None, "file", "where the key is that SIAGA_DEVICE_KEY would be; none = in that", min_length=1
    )
    device_admission: Literal["closed", "registered", "claim"] = _setting(
        "closed",
        "mode",
        "closed: each device needs a credential of its own; registered: those that are registered may share one; "
        "claim: any may share one, and who is not registered ends in quarantine",
    )
    credential_days: int = _setting(
        0, "days", "a device's credential ends after this where nobody says otherwise; 0 = never", ge=0, le=36_500
    )
    broker_users_file: str | None = _setting(
        None,
        "file",
        "where the users of a NATS server are written, for its secured.conf to include; none = not written",
        min_length=1,
    )
    broker_pid_file: str | None = _setting(
        None, "file", "where a NATS server writes its process id, to be told to read its users again", min_length=1
    )
    broker_control_url: SecretStr | None = _setting(
        None,
        "url",
        "a Mosquitto whose dynamic security is to be kept: a URL as in SIAGA_MQTT_URL, with its admin; none = not kept",
    )
    broker_sync_s: float = _setting(
        1, "s", "how often changed credentials are looked for; so often the broker reads its users anew at most",
        ge=0.1, le=600,
    )  # fmt: skip
    broker_check_s: float = _setting(
        300, "s", "how often the broker is compared with what it should be though nothing was changed", ge=1, le=86_400
    )

    # where the settings themselves are
    secrets_dir: str | None = _setting(
        None,
        "folder",
        "settings in files, each named as the setting (siaga_database_url): secrets of containers; what the "
        "environment says counts more; none = environment only",
        min_length=1,
    )

    # where this installation stands
    region: str = _setting("12.09", "Kemendagri code", "the regency on screen; dots as in 12.09", pattern=REGION)
    regency: str = _setting("Kabupaten Asahan", "name", "name of the regency on screens and in notices")
    time_zone: str = _setting("Asia/Jakarta", "IANA zone", "zone of screens, notices and calendar days")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _setting(
        "INFO", "level", "least that is logged: DEBUG, INFO, WARNING or ERROR"
    )

    # ingest
    ingest_client_id: str = _setting(
        "siaga-ingest",
        "MQTT client id",
        "names the persistent session; keep it stable. One that begins with siaga-ingest gets a random end at the "
        "broker, any other is taken as it is (docs/identity.md)",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
    )
    ingest_regions: str = _setting(
        "+",
        "Kemendagri codes",
        "regions this ingest process serves, separated by commas; + for all",
        min_length=1,
    )
    ingest_inflight: int = _setting(
        20_000,
        "packets",
        "unacknowledged packets held in memory before reading from the broker pauses",
        ge=100,
        le=65_000,
    )
    ingest_buffer_mb: int = _setting(
        64, "MiB", "payload bytes held in memory before reading from the broker pauses", ge=1, le=4096
    )
    batch_max: int = _setting(5_000, "packets", "packets committed in one transaction at most", ge=1, le=50_000)
    batch_max_mb: int = _setting(
        4, "MiB", "payload bytes decoded for one transaction, give or take a packet", ge=1, le=1024
    )
    batch_wait_ms: int = _setting(
        30, "ms", "how long a small batch waits for more packets before it is committed", ge=0, le=10_000
    )
    payload_max_bytes: int = _setting(
        262_144, "bytes", "a larger payload goes to quarantine as too_large", ge=1_024, le=16_777_216
    )
    array_max: int = _setting(1_000, "readings", "more in one payload go to quarantine as too_large", ge=1, le=100_000)
    future_max_s: int = _setting(
        300,
        "s",
        "a reading further ahead of our clock goes to quarantine as future_timestamp",
        ge=0,
        le=86_400,
    )
    live_window_s: int = _setting(
        900, "s", "an older reading is marked late: it changes history, never live alerts", ge=60, le=86_400
    )
    age_max_days: int = _setting(3_650, "days", "an older reading goes to quarantine as too_old", ge=1, le=36_500)
    quarantine_device_day: int = _setting(
        1_000,
        "entries",
        "payloads kept per device and day; past it they are only counted",
        ge=1,
        le=1_000_000,
    )
    decoders: str | None = _setting(
        None, "file", "TOML file of sources whose format or topics are not ours (docs/decoders.md); none = native only"
    )
    uplink_copy_s: int = _setting(
        120, "s", "two frames of one session and counter whose times are no further apart are one", ge=0, le=86_400
    )
    replay_batch: int = _setting(
        50, "entries", "quarantine entries replayed at most before ingest turns to what arrives", ge=1, le=10_000
    )
    inbox_poll_s: float = _setting(0.2, "s", "how often ingest looks for readings that came over HTTP", ge=0.01, le=60)
    command_poll_s: float = _setting(
        0.25, "s", "how often ingest looks for commands that devices are to be told", ge=0.05, le=60
    )
    stale_check_s: int = _setting(10, "s", "how often silent devices are looked for", ge=1, le=600)
    fleet_reload_s: int = _setting(5, "s", "how often ingest looks for changed devices", ge=1, le=600)
    stream_silent_s: int | None = _setting(
        None,
        "s",
        "the stream counts as silent after so long without a commit; none = 120 s more than the quickest kind of "
        "device in service takes between two readings",
        ge=10,
        le=86_400,
    )
    ingest_let_go_s: int = _setting(
        120, "s", "ingest leaves the broker when nothing could be committed for so long", ge=5, le=86_400
    )
    database_retry_max_s: int = _setting(
        30, "s", "longest sleep between two tries while the database is away", ge=1, le=600
    )
    ingest_metrics_port: int = _setting(
        0, "port", "port on SIAGA_API_HOST where Prometheus finds the metrics of ingest; 0 = nowhere", ge=0, le=65535
    )

    # alerts
    shelve_max_h: float = _setting(
        12, "h", "how long an operator may shelve an alert; it then comes back by itself", ge=0.1, le=720
    )
    shelve_engineer_max_h: float = _setting(
        168, "h", "how far ahead an engineer or admin may shelve an alert", ge=0.1, le=8_760
    )
    window_max_days: int = _setting(
        30, "days", "how long maintenance may last, and how far ahead it may be planned", ge=1, le=3_650
    )
    kpi_days_max: int = _setting(92, "days", "range of one report of /alerts/kpi at most", ge=1, le=366)
    advice_days_max: int = _setting(
        31, "days", "range of stored readings that one answer of /alerts/advice replays at most", ge=1, le=366
    )
    advice_actors_max: int = _setting(
        10, "rules on devices", "how many one answer of /alerts/advice is about at most", ge=1, le=100
    )
    advice_readings_max: int = _setting(
        100_000,
        "readings",
        "replayed for one answer of /alerts/advice at most, shared evenly; of more the newest count",
        ge=1_000,
        le=10_000_000,
    )

    # worker
    notify_urls: SecretStr | None = _setting(
        None, "Apprise URLs", "where notices go, separated by spaces; none = nowhere"
    )
    notify_min_severity: int = _setting(2, "0 low … 3 critical", "least severity that sends a notice", ge=0, le=3)
    notice_plan: str | None = _setting(
        None,
        "file",
        "TOML file that says who is told of what, when and on which channel (docs/notices.md), instead of "
        "SIAGA_NOTIFY_URLS and SIAGA_NOTIFY_MIN_SEVERITY; none = what those say",
        min_length=1,
    )
    notice_lines_max: int = _setting(
        10, "lines", "alerts named in one message; of the others only how many", ge=1, le=100
    )
    duty_max_days: int = _setting(31, "days", "how long a shift of the roster may last", ge=1, le=366)
    rollup_batch: int = _setting(
        500,
        "device buckets",
        "5-minute buckets of single devices rolled up in one transaction at most; at least one of a whole kind",
        ge=1,
        le=100_000,
    )
    broker_full_pct: int = _setting(
        80, "%", "an alert is raised when the broker holds this share of its limit", ge=1, le=100
    )
    broker_limit_bytes: int | None = _setting(
        None,
        "bytes",
        "how much the broker may hold, where it does not say so itself (Mosquitto); none = unknown, no alert",
        ge=1,
        le=1 << 50,
    )
    quarantine_keep_days: int = _setting(
        90,
        "days",
        "payloads of replayed or discarded quarantine entries not seen for so long are dropped, their rows stay; "
        "0 = kept for ever",
        ge=0,
        le=36_500,
    )
    retention_raw_days: int = _setting(
        90, "days", "older readings are dropped, whole weeks at a time; 0 = kept for ever", ge=0, le=KEEP_DAYS_MAX
    )
    retention_5m_days: int = _setting(
        730,
        "days",
        "older 5-minute rollups are dropped, four weeks at a time; 0 = kept for ever",
        ge=0,
        le=KEEP_DAYS_MAX,
    )
    retention_1h_days: int = _setting(
        3_650,
        "days",
        "older hourly rollups are dropped, 52 weeks at a time; 0 = kept for ever",
        ge=0,
        le=KEEP_DAYS_MAX,
    )
    retention_1d_days: int = _setting(
        0,
        "days",
        "older daily rollups are dropped, 52 weeks at a time; 0 = kept for ever",
        ge=0,
        le=KEEP_DAYS_MAX,
    )
    retention: str = _setting(
        "",
        "kind.level=days, …",
        "what is kept otherwise of some kinds: streetlight.raw=30, water_level.raw=0; levels are raw, 5m, 1h, 1d",
    )
    retention_every_h: float = _setting(1, "h", "how often what has had its time is looked for", ge=0.01, le=168)
    archive_dir: str | None = _setting(
        None,
        "folder",
        "readings are written to Parquet files there before they are dropped (docs/storage.md); none = just dropped",
        min_length=1,
    )
    forecast_horizon_h: float = _setting(
        6, "h", "how far ahead siaga levels are forecast; what has not come by then was false", ge=0.5, le=48
    )
    forecast_keep_days: int = _setting(
        365, "days", "older forecasts, and what became of them, are deleted; 0 = kept for ever", ge=0, le=KEEP_DAYS_MAX
    )
    command_keep_days: int = _setting(
        90, "days", "commands that ended longer ago are deleted; the audit log keeps who asked for them", ge=1, le=3_650
    )
    worker_metrics_port: int = _setting(
        0, "port", "port on SIAGA_API_HOST where Prometheus finds the worker's metrics; 0 = nowhere", ge=0, le=65535
    )

    # api
    page_max: int = _setting(10_000, "items", "items in one answer at most; more needs a cursor", ge=1, le=100_000)
    metrics_max: int = _setting(100_000, "buckets", "buckets in one answer of /metrics at most", ge=100, le=10_000_000)
    ledger_days_max: int = _setting(
        31, "days", "range of one answer of /ledger at most; what is missing is found in raw rows", ge=1, le=62
    )
    clock_offset_max_s: int = _setting(
        60, "s", "a device whose clock is further off is flagged by /ledger/drift", ge=1, le=86_400
    )
    statement_timeout_s: int = _setting(15, "s", "a read query of the API is stopped after this", ge=1, le=3_600)
    request_timeout_s: float = _setting(
        60, "s", "a request whose answer has not begun within this is ended and answered 503", ge=0.1, le=3_600
    )
    rate_key_per_min: int = _setting(
        30_000,
        "requests/min",
        "what one key, or one signed-in browser, may ask of this process; more is answered 429; 0 = no limit",
        ge=0,
        le=10_000_000,
    )
    rate_address_per_min: int = _setting(
        600,
        "requests/min",
        "what one address may ask without a key that is valid; more is answered 429; 0 = no limit",
        ge=0,
        le=10_000_000,
    )
    trusted_proxies: str | None = _setting(
        None,
        "addresses",
        "proxies whose X-Forwarded-For, X-Forwarded-Proto, X-Request-Id and traceparent are believed; addresses or "
        "networks, separated by commas; none = nobody's",
    )
    cors_origins: str | None = _setting(
        None,
        "origins",
        "pages of other sites that may call the API with a key, https://peta.example.go.id, separated by commas; "
        "none = no CORS",
    )
    access_log: bool = _setting(True, "true/false", "a log line for every request to the API")
    otlp_endpoint: str | None = _setting(
        None, "url", "where traces go, http://host:4318 (OTLP over HTTP; needs siaga[otel]); none = no traces"
    )
    body_max_bytes: int = _setting(
        10_485_760, "bytes", "largest request body the API reads", ge=1_024, le=1_073_741_824
    )
    post_items_max: int = _setting(5_000, "readings", "in one POST /readings at most", ge=1, le=50_000)
    post_wait_s: float = _setting(
        10, "s", "POST /readings is taken back and answered 503 when ingest has not done it within this", ge=0.1, le=600
    )
    inbox_max: int = _setting(
        100, "requests", "POST /readings that wait for ingest at most; one more is answered 503", ge=1, le=10_000
    )
    inbox_keep_h: float = _setting(
        24, "h", "how long the answer to POST /readings is kept for who repeats it", ge=0.1, le=720
    )
    command_timeout_s: int = _setting(
        300, "s", "a command that is not answered within this has expired, where nobody says otherwise", ge=5, le=86_400
    )
    command_timeout_max_s: int = _setting(
        3_600, "s", "the longest time that somebody may give a command", ge=5, le=604_800
    )
    command_open_max: int = _setting(
        10, "commands", "of one device that may wait for their answer; one more is answered 409", ge=1, le=1_000
    )
    command_devices_max: int = _setting(1_000, "devices", "told the same by one request at most", ge=1, le=100_000)
    dry_run_device_days_max: int = _setting(
        20_000, "device days", "devices times days that one dry-run of rules may be about", ge=1, le=100_000_000
    )
    incident_file_readings_max: int = _setting(
        200_000, "readings", "in one incident file at most; one that was cut says so", ge=100, le=10_000_000
    )
    incident_file_members_max: int = _setting(
        2_000, "alerts", "members of an incident in its file at most; a file that was cut says so", ge=1, le=100_000
    )
    incident_file_neighbours_max: int = _setting(
        20, "devices", "neighbours in one incident file at most, gauges upstream first", ge=0, le=500
    )
    live_poll_s: float = _setting(0.1, "s", "how often the event log is followed for live clients", ge=0.05, le=60)
    live_replay_max: int = _setting(
        10_000, "events", "events replayed after a reconnect; more answers `reset`", ge=1, le=1_000_000
    )
    session_hours: int = _setting(12, "h", "how long a browser stays signed in", ge=1, le=720)
    session_idle_min: int = _setting(
        120, "min", "a browser that has asked for nothing for so long is signed out", ge=5, le=43_200
    )
    sign_in_tries_max: int = _setting(
        10, "tries", "wrong passwords until a name is locked; from the fourth on there are pauses", ge=4, le=1_000
    )
    sign_in_address_tries_max: int = _setting(
        100, "tries", "wrong passwords and keys until an address is locked; from a third on pauses", ge=4, le=100_000
    )
    sign_in_lock_min: int = _setting(15, "min", "how long a name or an address is locked", ge=1, le=1_440)
    oidc_issuer: str | None = _setting(
        None, "url", "OpenID Connect provider to sign in by (docs/security.md), as it calls itself; none = none"
    )
    oidc_client_id: str | None = _setting(None, "id", "as what this installation is registered with the provider")
    oidc_client_secret: SecretStr | None = _setting(None, "secret", "that belongs to the client id")
    oidc_scope: str = _setting("openid profile", "scopes", "what the provider is asked to tell")
    oidc_name_claim: str = _setting("preferred_username", "claim", "where an ID token has the name of a user")
    oidc_role_claim: str = _setting("groups", "claim", "where it has what SIAGA_OIDC_ROLES turns into a role")
    oidc_roles: str = _setting(
        "", "value=role, …", "siaga-admins=admin, siaga-ops=operator; the highest counts, without one nobody gets in"
    )
    oidc_region_claim: str | None = _setting(
        None, "claim", "where it has the regions of a user, who has to have one then; none = everybody sees all"
    )
    key_days: int = _setting(90, "days", "an API key expires after this where nobody says otherwise", ge=1, le=3_650)
    key_days_max: int = _setting(365, "days", "the longest time an API key may be asked for", ge=1, le=3_650)
    read_connections: int = _setting(
        10, "connections", "queries that read at once; those after them wait", ge=1, le=1_000
    )
    write_connections: int = _setting(
        4,
        "connections",
        "connections for what must not wait for readers: acknowledging, imports, quarantine, sign-in, live events",
        ge=1,
        le=1_000,
    )
    connection_wait_s: float = _setting(
        3, "s", "a request that gets no connection within this is answered 503", ge=0.1, le=600
    )
    query_rows_max: int = _setting(
        5_000_000, "rows", "rollup rows that one answer of /metrics may be made of", ge=1_000, le=1_000_000_000
    )
    latest_max: int = _setting(
        20_000, "items", "devices in one answer of /latest at most; more needs a cursor", ge=1, le=200_000
    )
    latest_back_days: int = _setting(
        7, "days", "/latest?at= leaves out devices that had been silent for longer", ge=1, le=366
    )
    series_rows_max: int = _setting(
        20_000,
        "rows",
        "rows that one answer of /series is drawn from; longer ranges use coarser rollups",
        ge=1_000,
        le=10_000_000,
    )
    series_points_max: int = _setting(
        20_000, "points", "points in one answer of /series at most, of all devices and metrics", ge=10, le=1_000_000
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

    @field_validator("ingest_regions")
    @classmethod
    def _known_regions(cls, text: str) -> str:
        codes = [code.strip() for code in text.split(",") if code.strip()]
        wrong = [code for code in codes if code != "+" and not re.fullmatch(REGION, code)]
        if wrong or not codes:
            found = repr(wrong[0]) if wrong else "an empty list"
            raise ValueError(f"{found} is no region; use Kemendagri codes such as 12.09, separated by commas, or +")
        return text

    @field_validator("retention")
    @classmethod
    def _known_levels(cls, text: str) -> str:
        _kept_otherwise(text)
        return text

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, text: str | None) -> str | None:
        for piece in _pieces(text):
            try:
                ip_network(piece)
            except ValueError:
                raise ValueError(f"{piece!r} is no address or network, such as 10.0.0.1 or 10.0.0.0/24") from None
        return text

    @field_validator("oidc_issuer")
    @classmethod
    def _safe_issuer(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/]", url):
            raise ValueError(f"{url!r} does not begin with https://: anybody between could say who somebody is")
        return url

    @field_validator("oidc_roles")
    @classmethod
    def _known_roles(cls, text: str) -> str:
        for piece in _pieces(text):
            if not re.fullmatch(r".+=(viewer|operator|engineer|admin)", piece):
                raise ValueError(f"{piece!r} is no value=role, with one of viewer, operator, engineer, admin")
        return text

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, text: str | None) -> str | None:
        for piece in _pieces(text):
            # A star would let every site in the world read with a key that it has got hold of.
            if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", piece):
                raise ValueError(f"{piece!r} is no origin, such as https://peta.example.go.id; without a path, no *")
        return text

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(map(ip_network, _pieces(self.trusted_proxies)))

    @property
    def oidc_role_of(self) -> dict[str, str]:
        """Roles by what the provider says."""
        pairs = (piece.rpartition("=") for piece in _pieces(self.oidc_roles))
        return {value.strip(): role for value, _, role in pairs}

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(_pieces(self.cors_origins))

    @property
    def notice_severity(self) -> int:
        """Least severity of what the worker is asked about: a plan says itself what it does not want."""
        return 0 if self.notice_plan else self.notify_min_severity

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(code.strip() for code in self.ingest_regions.split(",") if code.strip())

    def keep_days(self, kind: str, level: str) -> int:
        """How many days a level of a kind is kept; 0: for ever."""
        general: int = getattr(self, f"retention_{level}_days")
        return _kept_otherwise(self.retention).get((kind, level), general)

    @property
    def kinds_kept_otherwise(self) -> frozenset[str]:
        """Kinds that SIAGA_RETENTION names; whether there are such kinds nobody knows here."""
        return frozenset(kind for kind, _ in _kept_otherwise(self.retention))


class Described(NamedTuple):
    """One line of `siaga settings`."""

    env: str
    value: str
    unit: str
    default: str
    text: str


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


def _pieces(text: str | None) -> list[str]:
    return [piece.strip() for piece in (text or "").split(",") if piece.strip()]


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
