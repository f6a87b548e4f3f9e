"""`siaga device listen`: watch one device at the broker, beside ingest, and judge what it publishes as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from devices.device import Device
from devices.topics import is_device_id
from ingest.decoders.choose import DEVICE, DecoderError, Decoders, Source
from ingest.intake import Limits
from runtime.mqtt_url import parse_url
from runtime.settings import SettingError, Settings, require
from siaga.client import Client
from siaga.listen_judge import Judged, Listener
from siaga.registry import lookup
from siaga.visit import Visit, VisitError

WAIT_S = 1.0


class ListenError(Exception):
    """Listening is not possible; the message says why."""


class Options(NamedTuple):
    """End after so many seconds, or messages; None: when asked to."""

    device_id: str
    for_s: float | None = None
    most: int | None = None


def registered(device_id: str, settings: Settings) -> Device | None:
    """The device from the API, else from the database. Raises SettingError, SiagaError, psycopg.Error."""
    if settings.api_url is None or settings.api_key is None:
        return lookup(
            require(settings.database_url, "SIAGA_DATABASE_URL (or SIAGA_API_URL and SIAGA_API_KEY)"), device_id
        )
    with Client.from_settings(settings) as api:
        found = api.find(f"/devices/{device_id}")
    return Device(**{name: found[name] for name in Device.__dataclass_fields__}) if found else None


def filters(device_id: str, decoders: Decoders) -> list[str]:
    """Topics that this device may publish under, in any region: its own, and those of each source."""
    own = f"siaga/v1/+/{device_id}/#"
    return list(dict.fromkeys([own, *(each for source in decoders.sources for each in _foreign(device_id, source))]))


def listen(options: Options, device: Device | None, settings: Settings, begun: Callable[[], None]) -> Iterator[Judged]:
    """Each message of the device, judged, until it is time to end. begun: called once the broker has subscribed us.

    Raises ListenError, SettingError.
    """
    try:
        decoders = Decoders.from_file(settings.decoders)
        broker = parse_url(require(settings.mqtt_url, "SIAGA_MQTT_URL"))
    except (DecoderError, ValueError) as error:
        raise SettingError(str(error)) from None
    listener = Listener(options.device_id, device, Limits.of(settings), decoders)
    until = None if options.for_s is None else time.monotonic() + options.for_s
    count = 0
    try:
        with Visit(broker, "listen") as visit:
            # QoS 1, or nobody could tell with which the device publishes.
            if refused := visit.subscribe(filters(options.device_id, decoders), qos=1):
                raise ListenError(f"the broker does not let this user subscribe to {', '.join(refused)}")
            begun()
            while (options.most is None or count < options.most) and (until is None or time.monotonic() < until):
                left_s = WAIT_S if until is None else min(WAIT_S, max(until - time.monotonic(), 0))
                heard = visit.next(left_s)
                judged = listener.judge(heard) if heard else None
                if judged is not None:
                    count += 1
                    yield judged
    except VisitError as error:
        raise ListenError(str(error)) from None


def check_id(device_id: str) -> None:
    """Raises ListenError for what cannot be a device, and would be a filter of more than one."""
    if not is_device_id(device_id):
        raise ListenError(f"{device_id!r} is no device id: 1 to 64 letters, digits, _ or -")


def _foreign(device_id: str, source: Source) -> Iterator[str]:
    """Topics of a source. Where letters count as small or great alike nobody knows which: then all of the source."""
    if source.id_case != "as_is":
        yield source.filter
        return
    names = [name for name, to in source.devices.items() if to == device_id]
    for name in names if device_id in source.devices else [*names, device_id]:
        yield "/".join(name if level == DEVICE else level for level in source.levels)
