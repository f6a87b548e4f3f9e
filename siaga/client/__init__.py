"""A client of Siaga's HTTP API (docs/client.md): `with Client.from_environment() as siaga: …`."""

from __future__ import annotations

from siaga.client.alerts import Alert, AlertWithHistory, Counts
from siaga.client.client import Client
from siaga.client.commands import Command
from siaga.client.devices import Device, Imported, Kind
from siaga.client.errors import ApiError, SiagaError, UnreachableError
from siaga.client.ledger import LedgerHour, MissingRange
from siaga.client.live import AlertChanged, Beat, CommandChanged, Event, LatestChanged, PresenceChanged, Reset
from siaga.client.plain import Me
from siaga.client.quarantine import Entry, EntryWhole
from siaga.client.readings import Bucket, Curve, Latest, Posted, Reading
from siaga.client.rules import RuleInForce

__all__ = [
    "Alert",
    "AlertChanged",
    "AlertWithHistory",
    "ApiError",
    "Beat",
    "Bucket",
    "Client",
    "Command",
    "CommandChanged",
    "Counts",
    "Curve",
    "Device",
    "Entry",
    "EntryWhole",
    "Event",
    "Imported",
    "Kind",
    "Latest",
    "LatestChanged",
    "LedgerHour",
    "Me",
    "MissingRange",
    "Posted",
    "PresenceChanged",
    "Reading",
    "Reset",
    "RuleInForce",
    "SiagaError",
    "UnreachableError",
]
