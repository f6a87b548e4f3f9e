"""Credentials of devices for the command line: straight to the database, as a fleet is provisioned in one go."""

from __future__ import annotations

import csv
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from devices.fleet_csv import read_csv
from devices.identity import SHARED, Mode, is_filter
from devices.topics import is_device_id
from runtime.device_key import device_key
from runtime.settings import Settings
from siaga.accounts import AccountError, Conn, command_origin, in_transaction
from storage import audit_log, credentials
from storage.credentials import Asked, CredentialError

HEAD = ("id", "username", "password")
SHOWN_NAMES = 10
Answer = TypeVar("Answer")


class Wanted(NamedTuple):
    """What `provision` is asked for. topics: of an integration; days: 0 for never."""

    names: Sequence[str]
    mode: Mode = "password"
    days: int = 0
    topics: Sequence[str] = ()


class Provisioned(NamedTuple):
    """Names and passwords of who has a new credential, and names of those who had one, which is left as it is."""

    made: dict[str, str | None]
    kept: list[str]


def provision(url: str, settings: Settings, wanted: Wanted) -> Provisioned:
    """Give a credential to each that has none that counts. Raises AccountError, with nothing done, and SettingError."""
    key = device_key(settings)
    _check(wanted)

    async def do(conn: Conn) -> Provisioned:
        if not wanted.topics and (missing := await credentials.unknown(conn, _devices(wanted.names))):
            raise AccountError(
                f"{_some(missing)}: no device, nor a gateway that a device names; `siaga devices import` registers them"
            )
        living = await credentials.living(conn, wanted.names)
        new = [name for name in dict.fromkeys(wanted.names) if name not in living]
        made = await _issue(conn, key, new, wanted.mode, wanted.days, wanted.topics) if new else {}
        return Provisioned(made, sorted(living))

    return _as_command(url, do)


def rotate(url: str, settings: Settings, names: Sequence[str]) -> dict[str, str | None]:
    """The next password of each; the one before ends. Raises AccountError, with nothing done, and SettingError."""
    key = device_key(settings)

    async def do(conn: Conn) -> dict[str, str | None]:
        living = await credentials.living(conn, names)
        if without := [name for name in names if name not in living]:
            raise AccountError(f"{_some(without)}: no credential that counts; `siaga devices provision` makes one")
        made: dict[str, str | None] = {}
        for name in dict.fromkeys(names):
            row = await credentials.one(conn, name)
            assert row is not None
            made |= await _issue(conn, key, [name], row["mode"], settings.credential_days, row["topics"])
        return made

    return _as_command(url, do)


def revoke(url: str, names: Sequence[str]) -> list[str]:
    """End credentials; whoever is connected is cut off. Raises AccountError where one has none, with nothing done."""

    async def do(conn: Conn) -> list[str]:
        done = [row["name"] for row in await credentials.revoke(conn, names)]
        if without := [name for name in names if name not in done]:
            raise AccountError(f"{_some(without)}: no credential that could be revoked; nothing was done")
        return done

    return _as_command(url, do)


def of_retired(url: str) -> list[str]:
    return in_transaction(url, credentials.of_retired)


def listed(url: str, state: str | None) -> list[dict[str, Any]]:
    return in_transaction(url, lambda conn: credentials.listed(conn, state))


def names_of(fleet: Path) -> list[str]:
    """The devices of a fleet CSV; only its column id counts. Raises AccountError."""
    try:
        with fleet.open(encoding="utf-8-sig", newline="") as opened:
            parsed = read_csv(opened)
    except (OSError, UnicodeDecodeError) as error:
        raise AccountError(f"{fleet} cannot be read: {error}") from error
    if parsed.errors:
        first = parsed.errors[0]
        raise AccountError(f"{fleet}: row {first.row}, {first.field}: {first.message}; nothing was done")
    return [device.id for device in parsed.devices]


@contextmanager
def secrets_file(file: Path) -> Iterator[Callable[[Mapping[str, str | None]], object]]:
    """A CSV for passwords, readable by whoever asks only and there before the first is made; gone again where none is.

    Raises AccountError where it is there already.
    """
    try:
        opened = os.fdopen(
            os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline=""
        )
    except OSError as error:
        raise AccountError(f"{file}: {error.strerror}") from None
    writer = csv.writer(opened, lineterminator="\n")
    with opened:
        try:
            writer.writerow(HEAD)
            yield lambda made: writer.writerows((name, name, password or "") for name, password in made.items())
        except BaseException:
            file.unlink()
            raise


async def _issue(
    conn: Conn, key: bytes, names: Sequence[str], mode: Mode, days: int, topics: Sequence[str]
) -> dict[str, str | None]:
    origin = command_origin()
    expires_at = credentials.days_from(datetime.now(UTC), days)
    try:
        made = await credentials.issue(conn, Asked(names, mode, origin.who or "command", expires_at, topics), key)
    except CredentialError as error:
        raise AccountError(f"{error}; nothing was done") from None
    return {row["name"]: made.secrets.get(row["name"]) for row in made.rows}


def _as_command(url: str, do: Callable[[Conn], Awaitable[Answer]]) -> Answer:
    """In one transaction whose changes are told in the audit log as those of whoever runs the command."""

    async def told(conn: Conn) -> Answer:
        await conn.execute(audit_log.ENTER.encode(), (command_origin().setting(),))
        return await do(conn)

    return in_transaction(url, told)


def _check(wanted: Wanted) -> None:
    for name in _devices(wanted.names):
        if not is_device_id(name):
            raise AccountError(f"{name!r}: 1 to 64 letters, digits, _ or -")
    for topic in wanted.topics:
        if not is_filter(topic):
            raise AccountError(
                f"--topic {topic!r}: an MQTT topic or filter, not under siaga/ nor of all first levels, no empty levels"
            )


def _devices(names: Iterable[str]) -> list[str]:
    return [name for name in names if name != SHARED]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES])
    return f"{shown} and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else shown
