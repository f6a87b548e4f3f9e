"""The data folder of `siaga up`: who holds it, what is kept in it from run to run, and stack.json for others.

Promise: one `siaga up` a folder, and what it writes is whole or not there; secrets are readable by the owner only.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

STACK = "stack.json"


class FolderError(Exception):
    """The folder cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What must be the same at the next start. Secrets are made once, at random."""

    admin_key: str
    database_password: str
    mqtt_password: str
    api_port: int | None = None
    mqtt_port: int | None = None
    database_port: int | None = None
    monitor_port: int | None = None
    ingest_metrics_port: int | None = None
    worker_metrics_port: int | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths in it, and the lock that is held as long as this is."""

    root: Path
    lock: IO[str]

    @property
    def kept(self) -> Path:
        return self.root / "secrets.json"

    @property
    def stack(self) -> Path:
        return self.root / STACK

    @property
    def database(self) -> Path:
        return self.root / "database"

    @property
    def broker(self) -> Path:
        return self.root / "broker"

    def log(self, part: str) -> Path:
        return self.root / "logs" / f"{part}.log"


def claim(root: Path) -> Folder:
    """Make the folder if need be and hold it. Raises FolderError when another `siaga up` does."""
    try:
        for path in (root, root / "logs", root / "broker", root / "database"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (root / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise FolderError(f"cannot write to {root}: {error.strerror}. Choose another folder with --data.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise FolderError(
            f"{root} is in use by another `siaga up`, process {holder}. "
            f"Stop that one first (kill {holder}), or choose another folder with --data."
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return Folder(root, lock)


def read_kept(folder: Folder) -> Kept:
    """What an earlier run left, or new secrets (not written yet)."""
    try:
        found = json.loads(folder.kept.read_text(encoding="utf-8"))
        # Secrets must be there; ports that an older version did not know are settled at this start.
        kept = Kept(
            **{
                each.name: found[each.name] if each.default is MISSING else found.get(each.name)
                for each in fields(Kept)
            }
        )
    except FileNotFoundError as error:
        if any(folder.database.iterdir()):
            raise _without_password(folder, error) from error
        return Kept(secrets.token_urlsafe(32), secrets.token_hex(24), secrets.token_hex(24))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _without_password(folder, error) from error
    if not all(isinstance(text, str) for text in (kept.admin_key, kept.database_password, kept.mqtt_password)):
        raise _without_password(folder, TypeError("a secret in it is no text"))
    return kept


def write_kept(folder: Folder, kept: Kept) -> None:
    write_json(folder.kept, asdict(kept))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file in one step, readable by its owner only; it survives a power cut whole."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def environment(root: Path) -> dict[str, str]:
    """The settings by which our other commands find the `siaga up` that runs in this folder. Raises FolderError."""
    path = root / STACK
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            "SIAGA_DATABASE_URL": found["database_url"],
            "SIAGA_MQTT_URL": found["mqtt_url"],
            "SIAGA_API_URL": found["api_url"],
            "SIAGA_API_KEY": found["admin_key"],
        }
    except FileNotFoundError:
        raise FolderError(f"{path} is not there: no `siaga up` runs in {root}; name its folder with --data") from None
    except (OSError, ValueError, LookupError) as error:
        raise FolderError(f"{path} cannot be read: {error}") from None


def _without_password(folder: Folder, error: Exception) -> FolderError:
    return FolderError(
        f"{folder.kept} cannot be read ({error}), and it holds the password of the database in this folder. "
        f"Restore the file from a backup, or start afresh in another folder with --data."
    )
