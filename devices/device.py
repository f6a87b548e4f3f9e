"""A device: what the registry knows of it. Its attributes are those its kind declares, checked on entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from pydantic import ValidationError

from devices.kinds import KINDS
from devices.topics import is_device_id, is_region

# Its life, with dates (storage/life.py). Maintenance is a window of work (docs/alerts.md), and has its own.
Status = Literal["planned", "in_service", "retired"]
STATUSES: tuple[Status, ...] = get_args(Status)
IN_SERVICE: Status = "in_service"


@dataclass(frozen=True, slots=True)
class Device:
    """district is a kecamatan code (12.09.19); lat and lon are WGS 84 degrees; attributes are JSON values. Of a
    device that is not in service nothing is expected, and no rule watches it; what it sends is stored."""

    id: str
    kind: str
    name: str | None = None
    region: str | None = None
    district: str | None = None
    lat: float | None = None
    lon: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    status: Status = IN_SERVICE


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of one device, in words that name the limit."""

    field: str
    message: str


def check(device: Device) -> Device | list[FieldError]:
    """The device with its attributes in their declared types, or everything that is wrong with it."""
    errors = []
    if not is_device_id(device.id):
        errors.append(FieldError("id", f"{device.id!r}: 1 to 64 letters, digits, _ or -"))
    if device.region is not None and not is_region(device.region):
        errors.append(FieldError("region", f"{device.region!r} is no Kemendagri code such as 12.09"))
    if device.district is not None and not is_region(device.district):
        errors.append(FieldError("district", f"{device.district!r} is no Kemendagri code such as 12.09.19"))
    if device.name is not None and (len(device.name) > 200 or "\x00" in device.name):
        errors.append(FieldError("name", "longer than 200 characters, or has a NUL"))
    if (device.lat is None) != (device.lon is None):
        errors.append(FieldError("lat", "lat and lon go together"))
    if device.lat is not None and not -90 <= device.lat <= 90:
        errors.append(FieldError("lat", f"{device.lat} is outside -90..90 degrees"))
    if device.lon is not None and not -180 <= device.lon <= 180:
        errors.append(FieldError("lon", f"{device.lon} is outside -180..180 degrees"))
    kind = KINDS.get(device.kind)
    if kind is None:
        errors.append(FieldError("kind", f"{device.kind!r} is unknown; known are {', '.join(sorted(KINDS))}"))
        return errors
    try:
        attributes = kind.attributes.model_validate(dict(device.attributes))
    except ValidationError as error:
        found = (FieldError(".".join(map(str, e["loc"])) or "attributes", e["msg"]) for e in error.errors())
        return [*errors, *found]
    if errors:
        return errors
    return Device(
        device.id, device.kind, device.name, device.region, device.district, device.lat, device.lon,
        attributes.model_dump(mode="json", exclude_none=True),
    )  # fmt: skip
