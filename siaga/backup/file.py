"""The file of a backup: a zip, not compressed again, of what is in it (manifest.json) and pg_dump's own file.

Promise: a file that has its name is whole; while it is written it is called FILE.part. Its bytes are checked when read.
"""

from __future__ import annotations

import fcntl
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ValidationError

from storage.flavour import Flavour

MANIFEST, DUMP = "manifest.json", "database.dump"
CHUNK = 1 << 20
PROGRESS_S = 5.0
MB = 1_000_000


class BackupError(Exception):
    """It cannot be backed up, or restored; the message says why and what to do."""


class Manifest(BaseModel):
    """What is in a backup, of one moment."""

    made_at: datetime
    siaga: str
    database: str
    owner: str
    revision: str
    flavour: Flavour
    postgres: str
    timescale: str | None
    pg_dump: int  # major version; an older pg_restore cannot read it
    rows: dict[str, int]  # by schema.table


@contextmanager
def part_of(file: Path, force: bool) -> Iterator[IO[bytes]]:
    """FILE.part to write to, which becomes FILE where all went well and is removed where not. Raises BackupError
    where there is a FILE and it is not to be replaced."""
    _refuse(file, force)
    part = file.with_name(f"{file.name}.part")
    # Readable by the owner only: it holds the digests of keys, and what everybody did.
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as opened:
        _lock(opened, part)
        try:
            opened.truncate()
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
            _refuse(file, force)
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    _sync(file.parent)


@contextmanager
def new(opened: IO[bytes], manifest: Manifest) -> Iterator[IO[bytes]]:
    """Where the dump is to be written."""
    with zipfile.ZipFile(opened, "w") as archive:
        at = manifest.made_at.timetuple()[:6]
        archive.writestr(zipfile.ZipInfo(MANIFEST, at), manifest.model_dump_json(indent=2) + "\n")
        with archive.open(zipfile.ZipInfo(DUMP, at), "w", force_zip64=True) as dump:
            yield dump


@contextmanager
def read(file: Path) -> Iterator[tuple[Manifest, IO[bytes], int]]:
    """The manifest, the dump to read from, and its bytes. Raises BackupError where it is no backup, or damaged."""
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            manifest = Manifest.model_validate_json(archive.read(MANIFEST))
            dump = stack.enter_context(archive.open(DUMP))
        except (zipfile.BadZipFile, EOFError, KeyError, ValidationError) as error:
            raise BackupError(f"{file} is no backup of Siaga, or was cut off: {error}") from error
        try:
            yield manifest, dump, archive.getinfo(DUMP).file_size
        except (zipfile.BadZipFile, EOFError) as error:
            raise BackupError(f"{file} is damaged: {error}") from error


def copy(source: IO[bytes], target: IO[bytes], progress: Callable[[int], None]) -> None:
    """Copy all of it, and say how many bytes it has been so far, every few seconds."""
    done, said = 0, time.monotonic()
    while chunk := source.read(CHUNK):
        target.write(chunk)
        done += len(chunk)
        if time.monotonic() - said > PROGRESS_S:
            progress(done)
            said = time.monotonic()


def _refuse(file: Path, force: bool) -> None:
    if not force and file.exists():
        raise BackupError(f"{file} is there already; choose another name, or replace it with --force")


def _lock(opened: IO[bytes], part: Path) -> None:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may just have renamed it: then this is no part any more, but a backup.
        if os.path.samestat(os.fstat(opened.fileno()), part.stat()):
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise BackupError(f"another `siaga backup` writes {part}")


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
