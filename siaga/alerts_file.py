"""`siaga alerts file` and `check`: an incident file from the database, and whether one says what happened."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

from alerts import incident_file as file
from alerts.incident_file import Seal
from alerts.incident_file_check import Compared, compare
from api.districts import districts
from runtime.settings import Settings, require
from storage.connect import connect_async
from storage.incident_file import Ground, Made, write
from storage.incident_file_case import Limits

CHUNK_BYTES = 1 << 20


class FileError(Exception):
    """It cannot be written or read; the message names the file or the alert."""


class Checked(NamedTuple):
    """broken: files whose sum is another than SHA256SUMS or summary.json say. cut: not all readings are in it."""

    files: int
    broken: list[str]
    cut: bool
    compared: list[Compared]

    @property
    def good(self) -> bool:
        return not self.broken and (self.cut or all(each.same for each in self.compared))


def make(alert_id: int, out: Path, settings: Settings, force: bool) -> Made:
    """Write the file of an alert; over what is there only by force. Raises FileError, SettingError, psycopg.Error."""
    if out.exists() and not force:
        raise FileError(f"{out}: is there already; give another name, or --force")
    # A file that is not whole never bears its name.
    beside = out.with_name(f".{out.name}.part")
    try:
        made = asyncio.run(_make(alert_id, beside, settings))
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return made


def check(path: Path) -> Checked:
    """Hold a file against its sums, and its events against its readings. Raises FileError, OSError."""
    try:
        with ZipFile(path) as bundle:
            broken = list(_broken(bundle))
            rule = json.loads(bundle.read(file.RULE))
            summary = json.loads(bundle.read(file.SUMMARY))
            compared = compare(rule, _rows(bundle, file.READINGS), _rows(bundle, file.TRANSITIONS))
            return Checked(len(bundle.namelist()), broken, bool(summary["cut"]), compared)
    except (BadZipFile, KeyError, ValueError) as error:
        raise FileError(f"{path}: is no incident file, or a damaged one: {error}") from None


def lines(checked: Checked) -> Iterator[str]:
    """What came of a check, for people."""
    told = f"{checked.files} files" + ("" if checked.broken else ", all sums right")
    yield told
    for name in checked.broken:
        yield f"  {name}: is not as it was written"
    if checked.cut:
        yield "not all readings are in it, so what is re-created need not agree"
    same = sum(each.same for each in checked.compared)
    yield f"{same} of {len(checked.compared)} alerts re-created from their readings"
    for each in checked.compared:
        if not each.same:
            yield f"  {each.key.rule} on {each.key.device_id}: told {_steps(each.told)}, got {_steps(each.recreated)}"


async def _make(alert_id: int, out: Path, settings: Settings) -> Made:
    limits = Limits(
        settings.incident_file_readings_max, settings.incident_file_members_max, settings.incident_file_neighbours_max
    )
    ground = Ground(settings.regency, settings.zone, districts())
    async with await connect_async(require(settings.database_url, "SIAGA_DATABASE_URL"), "alerts file") as conn:
        with out.open("wb") as stream:
            made = await write(conn, alert_id, stream, ground, limits, datetime.now(UTC))
    if made is None:
        raise FileError(f"there is no alert {alert_id}")
    return made


def _broken(bundle: ZipFile) -> Iterator[str]:
    told = (line.split("  ", 1) for line in bundle.read(file.SUMS).decode().splitlines())
    written = {name: digest for digest, name in told}
    seal = Seal()
    summary = json.loads(bundle.read(file.SUMMARY))
    for name in [*written, *(name for name in bundle.namelist() if name not in written and name != file.SUMS)]:
        digest = _digest(bundle, name) if name in bundle.namelist() else "missing"
        if written.get(name) != digest:
            yield name
        if name in summary["sha256"]:
            seal.add(name, digest)
    if seal.chain != summary["chain"]:
        yield f"{file.SUMMARY}: the chain"


def _digest(bundle: ZipFile, name: str) -> str:
    found = hashlib.sha256()
    with bundle.open(name) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()


def _rows(bundle: ZipFile, name: str) -> Iterator[dict[str, str]]:
    with bundle.open(name) as stream:
        yield from csv.DictReader(io.TextIOWrapper(stream, "utf-8", newline=""))


def _steps(steps: tuple[object, ...]) -> str:
    return ", ".join(str(step[0]) for step in steps if isinstance(step, tuple)) or "nothing"
