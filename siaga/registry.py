"""The registry of devices for the command line: straight to the database, with words for what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import typer

from devices.device import Device
from devices.fleet_csv import read_csv
from storage import fleet
from storage.connect import connect_async

SHOWN_ERRORS = 20
Answer = TypeVar("Answer")


class RegistryError(Exception):
    """What was asked for cannot be done; the message says why."""


def import_file(database_url: str, file: Path, skip_bad: bool, correct: bool = False) -> None:
    """Import a fleet CSV and say what came of it. Raises RegistryError where nothing was imported."""
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        with file.open(encoding="utf-8-sig", newline="") as opened:
            parsed = read_csv(opened)
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{file} cannot be read: {error}") from error
    for wrong in parsed.errors[:SHOWN_ERRORS]:
        typer.echo(f"row {wrong.row}, {wrong.field}: {wrong.message}", err=True)
    if len(parsed.errors) > SHOWN_ERRORS:
        typer.echo(f"… and {len(parsed.errors) - SHOWN_ERRORS} more", err=True)
    bad_rows = len({wrong.row for wrong in parsed.errors})
    if parsed.errors and not (skip_bad and parsed.devices):
        raise RegistryError(
            f"{bad_rows} of {bad_rows + len(parsed.devices)} rows are bad; nothing was imported. "
            "Correct them, or import the others with --skip-bad."
        )
    try:
        done = _ask(database_url, lambda conn: fleet.import_devices(conn, parsed.devices, correct))
    except fleet.KindChangeError as error:
        raise RegistryError(f"nothing was imported: {error}") from error
    typer.echo(
        f"added {done.added}, updated {done.updated}, unchanged {done.unchanged}, skipped {bad_rows}"
        + (f"; the past of {done.corrected} corrected" if correct else "")
    )


def list_all(database_url: str, kind: str | None, district: str | None) -> list[Device]:
    return _ask(database_url, lambda conn: fleet.list_devices(conn, kind, district))


def lookup(database_url: str, device_id: str) -> Device | None:
    return _ask(database_url, lambda conn: fleet.get_device(conn, device_id))


def find(database_url: str, device_id: str) -> Device:
    found = lookup(database_url, device_id)
    if found is None:
        raise RegistryError(f"no device {device_id!r} is registered; `siaga devices list` shows those that are")
    return found


def plain(device: Device) -> dict[str, Any]:
    return {**asdict(device), "attributes": dict(device.attributes)}


def _ask(database_url: str, question: Callable[[psycopg.AsyncConnection[Any]], Awaitable[Answer]]) -> Answer:
    async def asked() -> Answer:
        async with await connect_async(database_url, "devices") as conn:
            return await question(conn)

    return asyncio.run(asked())
