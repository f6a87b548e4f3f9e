"""What a request to the API may ask and how long it may take."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network

from pydantic import ValidationInfo, field_validator

from runtime.settings.part import Part, not_less, pieces, setting


class ApiSettings(Part):
    """Answers, limits, proxies and other sites, posted readings, commands, live clients."""

    # api
    page_max: int = setting(10_000, "items", "items in one answer at most; more needs a cursor", ge=1, le=100_000)
    metrics_max: int = setting(100_000, "buckets", "buckets in one answer of /metrics at most", ge=100, le=10_000_000)
    ledger_days_max: int = setting(
        31, "days", "range of one answer of /ledger at most; what is missing is found in raw rows", ge=1, le=62
    )
    clock_offset_max_s: int = setting(
        60, "s", "a device whose clock is further off is flagged by /ledger/drift", ge=1, le=86_400
    )
    statement_timeout_s: int = setting(15, "s", "a read query of the API is stopped after this", ge=1, le=3_600)
    request_timeout_s: float = setting(
        60, "s", "a request whose answer has not begun within this is ended and answered 503", ge=0.1, le=3_600
    )
    rate_key_per_min: int = setting(
        30_000,
        "requests/min",
        "what one key, or one signed-in browser, may ask of this process; more is answered 429; 0 = no limit",
        ge=0,
        le=10_000_000,
    )
    rate_address_per_min: int = setting(
        600,
        "requests/min",
        "what one address may ask without a key that is valid; more is answered 429; 0 = no limit",
        ge=0,
        le=10_000_000,
    )
    trusted_proxies: str | None = setting(
        None,
        "addresses",
        "proxies whose X-Forwarded-For, X-Forwarded-Proto, X-Request-Id and traceparent are believed; addresses or "
        "networks, separated by commas; none = nobody's",
    )
    cors_origins: str | None = setting(
        None,
        "origins",
        "pages of other sites that may call the API with a key, https://peta.example.go.id, separated by commas; "
        "none = no CORS",
    )
    access_log: bool = setting(True, "true/false", "a log line for every request to the API")
    otlp_endpoint: str | None = setting(
        None, "url", "where traces go, http://host:4318 (OTLP over HTTP; needs siaga[otel]); none = no traces"
    )
    body_max_bytes: int = setting(10_485_760, "bytes", "largest request body the API reads", ge=1_024, le=1_073_741_824)
    post_items_max: int = setting(5_000, "readings", "in one POST /readings at most", ge=1, le=50_000)
    post_wait_s: float = setting(
        10, "s", "POST /readings is taken back and answered 503 when ingest has not done it within this", ge=0.1, le=600
    )
    inbox_max: int = setting(
        100, "requests", "POST /readings that wait for ingest at most; one more is answered 503", ge=1, le=10_000
    )
    inbox_keep_h: float = setting(
        24, "h", "how long the answer to POST /readings is kept for who repeats it", ge=0.1, le=720
    )
    command_timeout_s: int = setting(
        300, "s", "a command that is not answered within this has expired, where nobody says otherwise", ge=5, le=86_400
    )
    command_timeout_max_s: int = setting(
        3_600, "s", "the longest time that somebody may give a command", ge=5, le=604_800, validate_default=True
    )
    command_open_max: int = setting(
        10, "commands", "of one device that may wait for their answer; one more is answered 409", ge=1, le=1_000
    )
    command_devices_max: int = setting(1_000, "devices", "told the same by one request at most", ge=1, le=100_000)
    dry_run_device_days_max: int = setting(
        20_000, "device days", "devices times days that one dry-run of rules may be about", ge=1, le=100_000_000
    )
    incident_file_readings_max: int = setting(
        200_000, "readings", "in one incident file at most; one that was cut says so", ge=100, le=10_000_000
    )
    incident_file_members_max: int = setting(
        2_000, "alerts", "members of an incident in its file at most; a file that was cut says so", ge=1, le=100_000
    )
    incident_file_neighbours_max: int = setting(
        20, "devices", "neighbours in one incident file at most, gauges upstream first", ge=0, le=500
    )
    live_poll_s: float = setting(0.1, "s", "how often the event log is followed for live clients", ge=0.05, le=60)
    live_replay_max: int = setting(
        10_000, "events", "events replayed after a reconnect; more answers `reset`", ge=1, le=1_000_000
    )

    @field_validator("command_timeout_max_s")
    @classmethod
    def _usual_command(cls, most: int, info: ValidationInfo) -> int:
        return not_less(most, info, "command_timeout_s")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, text: str | None) -> str | None:
        for piece in pieces(text):
            try:
                ip_network(piece)
            except ValueError:
                raise ValueError(f"{piece!r} is no address or network, such as 10.0.0.1 or 10.0.0.0/24") from None
        return text

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, text: str | None) -> str | None:
        for piece in pieces(text):
            # A star would let every site in the world read with a key that it has got hold of.
            if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", piece):
                raise ValueError(f"{piece!r} is no origin, such as https://peta.example.go.id; without a path, no *")
        return text

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(map(ip_network, pieces(self.trusted_proxies)))

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(pieces(self.cors_origins))
