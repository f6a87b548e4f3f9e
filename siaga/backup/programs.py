"""pg_dump and pg_restore: which of those on this machine fits a server, and running it.

Passwords go through the environment: command lines are for everybody to read.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from psycopg import pq

from siaga.backup.file import BackupError
from siaga.stack import postgres

Name = Literal["pg_dump", "pg_restore"]
# From this version on pg_restore, and pg_dump's own text, set what older servers do not know (transaction_timeout).
NOT_FOR_OLDER = 17
ASK_S = 20
# Debian's and Red Hat's places. /usr/bin may have but a wrapper that takes the newest.
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
SAID_LINES = 15


def find(name: Name, server: int, wrote: int = 0) -> tuple[Path, int]:
    """The program that fits a server of this major version, and its own version; `wrote` is that of the pg_dump whose
    file is to be read. Its own version if it is there, else the next newer one. Raises BackupError."""
    found: dict[int, Path] = {}
    for folder in _folders():
        if (version := _version(folder / name)) is not None:
            found.setdefault(version, folder / name)
    fitting = [version for version in found if fits(version, server, wrote)]
    if not fitting:
        there = ", ".join(str(version) for version in sorted(found)) or "none"
        raise BackupError(
            f"{name} of PostgreSQL {_wanted(server, wrote)} is needed and not here (found: {there}). "
            f"Install it (Debian: postgresql-client-{max(server, wrote)}), or put its folder into PATH."
        )
    return found[min(fitting)], min(fitting)


def fits(version: int, server: int, wrote: int) -> bool:
    return version >= max(server, wrote) and (version < NOT_FOR_OLDER or server >= NOT_FOR_OLDER)


def environment(url: str, part: str) -> dict[str, str]:
    """The variables by which libpq's programs reach the database of a URL."""
    given = {
        option.envvar.decode(): option.val.decode()
        for option in pq.Conninfo.parse(url.encode())
        if option.envvar and option.val is not None
    }
    return {**os.environ, **given, "PGAPPNAME": f"siaga {part}"}


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str], pipe: Literal["stdin", "stdout"]
) -> Iterator[subprocess.Popen[bytes]]:
    """A program with a pipe to it or from it; killed where we fail. Raises BackupError with its words where it does."""
    with tempfile.TemporaryFile() as said:
        stdin = subprocess.PIPE if pipe == "stdin" else subprocess.DEVNULL
        stdout = subprocess.PIPE if pipe == "stdout" else subprocess.DEVNULL
        with subprocess.Popen(command, env=env, stdin=stdin, stdout=stdout, stderr=said, bufsize=0) as process:
            try:
                yield process
            except BrokenPipeError:
                pass  # it has ended, and says why
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            raise BackupError("\n".join((f"{Path(command[0]).name} failed:", *lines[-SAID_LINES:])))


def _folders() -> Iterator[Path]:
    for pattern in PLACES:
        yield from sorted(Path("/").glob(pattern.lstrip("/")))
    yield from (Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder)
    # Last: they speak no TLS.
    try:
        yield postgres.programs()
    except postgres.PostgresError:
        return


def _version(program: Path) -> int | None:
    if not os.access(program, os.X_OK):
        return None
    try:
        asked = subprocess.run((program, "--version"), capture_output=True, text=True, check=False, timeout=ASK_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    number = re.search(r"\) (\d+)", asked.stdout)
    return int(number[1]) if number else None


def _wanted(server: int, wrote: int) -> str:
    oldest = max(server, wrote)
    if server >= NOT_FOR_OLDER:
        return f"{oldest} or newer"
    return f"{oldest}" if oldest == NOT_FOR_OLDER - 1 else f"{oldest} to {NOT_FOR_OLDER - 1}"
