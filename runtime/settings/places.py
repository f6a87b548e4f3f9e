"""Where the other parts are, and who may connect to the broker."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr

from runtime.settings.part import Part, setting


class PlaceSettings(Part):
    """The database, the broker and the API."""

    # where the other parts are
    database_url: SecretStr | None = setting(
        None,
        "url",
        "PostgreSQL or TimescaleDB: postgresql://user:password@host:port/name; with a standby as "
        "host:port,host:port/name?target_session_attrs=read-write",
    )
    database_read_url: SecretStr | None = setting(
        None,
        "url",
        "where queries of the API that only read go, a streaming replica as a rule (docs/scaling.md): they show what "
        "it has replayed; none = SIAGA_DATABASE_URL",
    )
    mqtt_url: SecretStr | None = setting(
        None,
        "url",
        "MQTT broker: mqtt://user:password@host:port; mqtts:// for TLS, ws:// or wss:// for websockets; the nodes of a "
        "cluster as host:port,host:port, tried in turn",
    )
    api_url: str | None = setting(
        None, "url", "where clients of ours find the API: simulator, commands of `siaga`, links in notices"
    )
    api_key: SecretStr | None = setting(
        None, "key", "API key of these clients; the simulator registers its fleet with it"
    )
    api_host: str = setting("127.0.0.1", "address", "address the API listens on, and the metrics of ingest and worker")
    api_port: int = setting(8800, "port", "port the API listens on", ge=0, le=65535)

    broker_monitor_url: SecretStr | None = setting(
        None,
        "url",
        "where the worker asks how much the broker holds: http://host:port of a NATS server's monitoring, or for "
        "Mosquitto's $SYS a URL as in SIAGA_MQTT_URL; none = not asked",
    )

    # who may connect to the broker (docs/identity.md)
    device_key: SecretStr | None = setting(
        None, "key", "passwords of devices follow from it: 32 characters or more, random, and kept for ever"
    )
    device_key_file: str | None = setting(
        None, "file", "where the key is that SIAGA_DEVICE_KEY would be; none = in that", min_length=1
    )
    device_admission: Literal["closed", "registered", "claim"] = setting(
        "closed",
        "mode",
        "closed: each device needs a credential of its own; registered: those that are registered may share one; "
        "claim: any may share one, and who is not registered ends in quarantine",
    )
    credential_days: int = setting(
        0, "days", "a device's credential ends after this where nobody says otherwise; 0 = never", ge=0, le=36_500
    )
    broker_users_file: str | None = setting(
        None,
        "file",
        "where the users of a NATS server are written, for its secured.conf to include; none = not written",
        min_length=1,
    )
    broker_pid_file: str | None = setting(
        None, "file", "where a NATS server writes its process id, to be told to read its users again", min_length=1
    )
    broker_control_url: SecretStr | None = setting(
        None,
        "url",
        "a Mosquitto whose dynamic security is to be kept: a URL as in SIAGA_MQTT_URL, with its admin; none = not kept",
    )
    broker_sync_s: float = setting(
        1, "s", "how often changed credentials are looked for; so often the broker reads its users anew at most",
        ge=0.1, le=600,
    )  # fmt: skip
    broker_check_s: float = setting(
        300, "s", "how often the broker is compared with what it should be though nothing was changed", ge=1, le=86_400
    )
