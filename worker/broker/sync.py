"""Bring the broker to what the database says: looked at every second, and compared as a whole now and then.

Nothing is handed over when a credential changes, so nothing can be lost on the way: whoever starts late, or was killed
half-way, finds the same difference and does the same. Many changes of one second are one step for the broker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psycopg

from runtime.device_key import device_key
from runtime.log import get_logger
from runtime.mqtt_url import Broker, parse_url
from runtime.settings import SettingError, Settings, require
from runtime.stop import sleep_until
from storage import credentials
from storage.connect import connect_async
from worker.broker.mosquitto import Mosquitto
from worker.broker.nats import Nats
from worker.broker.target import Done, SyncError, Target

log = get_logger(__name__)

# A broker that could not check some may have been started, or set up, meanwhile.
LEFT_OUT_S = 10.0
NONE = (
    "there is no broker to keep: set SIAGA_BROKER_USERS_FILE and SIAGA_BROKER_PID_FILE for a NATS server on this "
    "machine, or SIAGA_BROKER_CONTROL_URL for a Mosquitto"
)


def target(settings: Settings, stopped: Callable[[], bool] = lambda: False) -> Target | None:
    """The broker that this process keeps; None where none is named. Raises SettingError."""
    if settings.broker_users_file is not None and settings.broker_control_url is not None:
        raise SettingError("SIAGA_BROKER_USERS_FILE is for NATS and SIAGA_BROKER_CONTROL_URL for Mosquitto: set one")
    if settings.broker_users_file is not None:
        if settings.broker_pid_file is None:
            raise SettingError("SIAGA_BROKER_PID_FILE is not set: without it nobody tells the server to read its users")
        return Nats(Path(settings.broker_users_file), Path(settings.broker_pid_file), _monitor(settings), stopped)
    if settings.broker_control_url is not None:
        control = _url(settings.broker_control_url.get_secret_value(), "SIAGA_BROKER_CONTROL_URL")
        return Mosquitto(control, device_key(settings), _service(settings, control), stopped)
    return None


async def keep(
    settings: Settings, stop: asyncio.Event, report: Callable[[str | None], object] = lambda error: None
) -> None:
    """Until asked to stop; what goes wrong is logged once and tried again. Raises SettingError.

    report is told each failure, and None once the broker is in step again.
    """
    broker = target(settings, stop.is_set)
    if broker is None:
        await stop.wait()
        return
    told, pause_s = "", settings.broker_sync_s
    while not stop.is_set():
        try:
            await _follow(settings, broker, stop, report)
            told, pause_s = "", settings.broker_sync_s
        except (SyncError, psycopg.Error) as error:
            text = (str(error).splitlines() or [type(error).__name__])[0]
            report(text)
            if text != told:
                told = text
                log.warning("broker.not_in_step", error=text)
            await sleep_until(stop, pause_s)
            pause_s = min(pause_s * 2, settings.database_retry_max_s)


async def once(settings: Settings) -> Done:
    """Do it once. Raises SettingError, SyncError and psycopg.Error."""
    broker = target(settings)
    if broker is None:
        raise SettingError(NONE)
    url = require(settings.database_url, "SIAGA_DATABASE_URL")
    async with await connect_async(url, "broker sync") as conn:
        return await _apply(conn, settings, broker)


async def _follow(
    settings: Settings, broker: Target, stop: asyncio.Event, report: Callable[[str | None], object]
) -> None:
    url = require(settings.database_url, "SIAGA_DATABASE_URL")
    async with await connect_async(url, "broker sync") as conn:
        seen: tuple[datetime | None, ...] | None = None
        seen_as: object = None
        due = 0.0
        while not stop.is_set():
            # Before what it stands for is read: what comes in between is read twice, and not missed.
            now = await credentials.revision(conn)
            if now != seen or time.monotonic() > due:
                done = await _apply(conn, settings, broker)
                report(None)
                if (now, done) != seen_as:
                    log.info("broker.in_step", **done._asdict())
                seen, seen_as = now, (now, done)
                due = time.monotonic() + (LEFT_OUT_S if done.left_out else settings.broker_check_s)
            await sleep_until(stop, settings.broker_sync_s)


async def _apply(conn: credentials.Conn, settings: Settings, broker: Target) -> Done:
    wanted = await credentials.wanted(conn, settings.device_admission)
    return await asyncio.to_thread(broker.apply, wanted)


def _monitor(settings: Settings) -> str | None:
    url = settings.broker_monitor_url.get_secret_value() if settings.broker_monitor_url else ""
    return url if url.startswith(("http://", "https://")) else None


def _service(settings: Settings, control: Broker) -> tuple[str, str] | None:
    """The user of our own parts, where SIAGA_MQTT_URL names one that is not the admin."""
    if settings.mqtt_url is None:
        return None
    own = _url(settings.mqtt_url.get_secret_value(), "SIAGA_MQTT_URL")
    if not own.username or not own.password or own.username == control.username:
        return None
    return own.username, own.password


def _url(url: str, name: str) -> Broker:
    try:
        return parse_url(url)
    except ValueError as error:
        raise SettingError(str(error).replace("SIAGA_MQTT_URL", name)) from None
