"""Where the parts find each other: ports settled once and kept, addresses made of them or given by the operator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from runtime.settings import Settings
from siaga.stack import broker, ports, postgres
from siaga.stack.console import say_of
from siaga.stack.folder import Folder, Kept, read_kept, write_kept

MQTT_PORT = 1883
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared with, not listened on


@dataclass(frozen=True, slots=True)
class Places:
    kept: Kept
    database_url: str
    mqtt_url: str
    api_url: str

    def metrics_url(self, port: int | None) -> str:
        """Where Prometheus finds a part of ours: beside the API."""
        return f"{self.api_url.rpartition(':')[0]}:{port}/metrics"

    @property
    def monitor_url(self) -> str:
        """Where our own broker says how much it holds."""
        return f"http://{ports.LOOPBACK}:{self.kept.monitor_port}"

    def stack(self, pid: int, pids: dict[str, int]) -> dict[str, Any]:
        """What stack.json says."""
        return {
            "api_url": self.api_url,
            "mqtt_url": self.mqtt_url,
            "database_url": self.database_url,
            "admin_key": self.kept.admin_key,
            "pid": pid,
            "pids": pids,
        }


def settle(folder: Folder, settings: Settings, api_port: int | None, mqtt_port: int | None) -> Places:
    """Choose the ports and write them down, with the secrets, before anything is made with them."""
    kept = _settle_ports(read_kept(folder), settings, api_port, mqtt_port)
    write_kept(folder, kept)
    own_database = postgres.url(kept.database_port or 0, kept.database_password)
    own_broker = broker.url(kept.mqtt_port or 0, kept.mqtt_password)
    host = ports.LOOPBACK if settings.api_host in EVERYWHERE else settings.api_host
    return Places(
        kept,
        settings.database_url.get_secret_value() if settings.database_url else own_database,
        settings.mqtt_url.get_secret_value() if settings.mqtt_url else own_broker,
        f"http://{f'[{host}]' if ':' in host else host}:{kept.api_port}",
    )


def _settle_ports(kept: Kept, settings: Settings, api_port: int | None, mqtt_port: int | None) -> Kept:
    usual = settings.api_port or None
    if api_port is None and "api_port" in settings.model_fields_set:
        api_port = settings.api_port
    port = ports.settle("--api-port", api_port, kept.api_port, usual, set())
    _tell_if_other("api", port, kept.api_port, usual if api_port is None else None)
    kept = replace(kept, api_port=port)
    taken = {port}
    if settings.mqtt_url is None:
        port = ports.settle("--mqtt-port", mqtt_port, kept.mqtt_port, MQTT_PORT, taken)
        _tell_if_other("broker", port, kept.mqtt_port, MQTT_PORT if mqtt_port is None else None)
        kept = replace(kept, mqtt_port=port)
        taken.add(port)
        port = ports.settle("SIAGA_BROKER_MONITOR_URL", 0, kept.monitor_port, None, taken)
        kept = replace(kept, monitor_port=port)
        taken.add(port)
    if settings.database_url is None:
        port = ports.settle("SIAGA_DATABASE_URL", 0, kept.database_port, None, taken)
        kept = replace(kept, database_port=port)
        taken.add(port)
    asked = settings.ingest_metrics_port
    port = ports.settle("SIAGA_INGEST_METRICS_PORT", asked, kept.ingest_metrics_port, None, taken)
    kept = replace(kept, ingest_metrics_port=port)
    taken.add(port)
    asked = settings.worker_metrics_port
    port = ports.settle("SIAGA_WORKER_METRICS_PORT", asked, kept.worker_metrics_port, None, taken)
    return replace(kept, worker_metrics_port=port)


def _tell_if_other(part: str, port: int, kept: int | None, usual: int | None) -> None:
    wanted = kept or usual
    if wanted and wanted != port and usual is not None:
        say_of(part, f"port {wanted} is in use by another program; taking {port}")
