"""Who a client of the broker is, what it may publish and read there, and how its password follows from a key.

Topics and MQTT filters only; what a broker makes of them is said in worker/broker/.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from devices.topics import command_topic, readings_topic, result_topic, status_topic

Mode = Literal["password", "certificate"]
Admission = Literal["closed", "registered", "claim"]
# The one credential that many devices use, where the installation admits them so. Devices have no dots in their names.
SHARED = "siaga.shared"
ANY = "+"
KEY_BYTES_MIN = 32
SECRET_LENGTH = 32  # of base64: 192 bits
# Levels of a filter that both brokers mean the same by: no empty ones, no quotes, and # at the end only.
_LEVEL = r"[A-Za-z0-9_.:@=~-]+"
FILTER = re.compile(rf"^({_LEVEL}|\+)(/({_LEVEL}|\+))*(/#)?$")
OURS = "siaga"


class Rights(NamedTuple):
    """MQTT topics and filters. denied beats publish."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


class Identity(NamedTuple):
    """One who may connect. hash: bcrypt of the password, or in mode certificate of one that nobody knows.

    is_bound: the client id must be the name, where the broker can ask for it.
    """

    name: str
    mode: Mode
    generation: int
    hash: str
    rights: Rights
    is_bound: bool = True


class Member(NamedTuple):
    """A device in whose name somebody publishes. region None: it may be under any."""

    region: str | None
    device_id: str


def secret(key: bytes, name: str, generation: int) -> str:
    """The password of a name: the same each time, and without the key nobody's guess. Raises ValueError."""
    if len(key) < KEY_BYTES_MIN:
        raise ValueError(f"the key has {len(key)} bytes, {KEY_BYTES_MIN} at least are needed")
    made = hmac.digest(key, f"{name}\0{generation}".encode(), "sha256")
    return base64.urlsafe_b64encode(made).decode()[:SECRET_LENGTH]


def rights_of(members: Iterable[Member], topics: Iterable[str] = ()) -> Rights:
    """To publish what these devices say, and read what they are told. topics: filters it may publish under besides."""
    publish: list[str] = []
    subscribe: list[str] = []
    for region, device_id in members:
        publish += published_by(region or ANY, device_id)
        subscribe.append(command_topic(region or ANY, device_id))
    return Rights((*publish, *topics), tuple(subscribe))


def rights_of_shared(admission: Admission, alone: Iterable[Member], own: Iterable[str]) -> Rights:
    """Of the shared credential: to publish for devices without one of their own, and to read nothing.

    alone: registered devices without; own: ids of those that have, or had, one. With `claim` anybody else may publish,
    and ends in quarantine until somebody registers it.
    """
    if admission == "closed":
        return Rights()
    if admission == "registered":
        return Rights(tuple(topic for region, device_id in alone for topic in published_by(region or ANY, device_id)))
    return Rights(
        tuple(published_by(ANY, ANY)), denied=tuple(topic for each in own for topic in published_by(ANY, each))
    )  # fmt: skip


def published_by(region: str, device_id: str) -> list[str]:
    return [make(region, device_id) for make in (readings_topic, status_topic, result_topic)]


def is_filter(text: str) -> bool:
    """Whether a credential may be given this beside its devices' topics: nothing of ours, nor of the broker's own."""
    first = text.partition("/")[0]
    return FILTER.fullmatch(text) is not None and first not in (OURS, ANY) and len(text) <= 200
