"""What the uplinks of LoRaWAN network servers have in common: a frame becomes one reading.

A frame is named by its session and its counter: boot and seq. Its time is the device's own where the configuration
names a field for it, else the network server's. That time stands in the message, so a message delivered again gives the
same reading; a copy through a second network server has another time, which storage/uplinks.py settles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from devices.kind import Kind
from devices.payload import Bad, Decoded
from ingest.decoders.fields import Fields, bad, checked, pick


class Frame(NamedTuple):
    """One uplink, whatever server it came through."""

    values: Any  # what the server's payload codec has made of the bytes
    time: Any
    session: Any
    counter: Any
    rssi_dbm: float | None
    snr_db: float | None


def reading(kind: Kind, frame: Frame, payload: bytes, fields: Fields, codec: str) -> Decoded:
    """A frame as one reading; `codec` says where its values should have come from."""
    if not isinstance(frame.values, dict) or not frame.values:
        return Decoded([], [bad(payload, f"{codec}: no decoded values; the network server needs a payload codec")])
    item, unknown = pick(kind, frame.values, fields)
    own = {"ts": frame.time, "seq": frame.counter, "boot": frame.session}
    own |= {"rssi_dbm": frame.rssi_dbm, "snr_db": frame.snr_db}
    for name, value in own.items():
        if value is not None and item.get(name) is None:
            item[name] = value
    found = checked(kind, item, payload)
    return Decoded([], [found]) if isinstance(found, Bad) else Decoded([found], (), unknown)


def best(receptions: Any) -> tuple[float | None, float | None]:
    """RSSI (dBm) and SNR (dB) at the gateway that heard it loudest; None where not told."""
    heard = [each for each in objects(receptions) if _number(each.get("rssi")) is not None]
    if not heard:
        return None, None
    loudest = max(heard, key=lambda each: (each["rssi"], _number(each.get("snr")) or 0.0))
    return float(loudest["rssi"]), _number(loudest.get("snr"))


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of an array; none where it is something else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    # NaN must not decide which gateway is the loudest, nor refuse a reading that is right.
    good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
    return float(value) if good else None
