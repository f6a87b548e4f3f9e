"""A ZIP that is written one file after the other, with the sum of each: memory does not grow with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from alerts.incident_file import Seal

# A file of more than 2 GiB must be announced as such before it is written.
BIG = True


class Bundle:
    """Files in the order in which they are written; at is the time that all of them bear."""

    def __init__(self, out: IO[bytes], at: datetime) -> None:
        self._zip = ZipFile(out, "w", ZIP_DEFLATED)
        self._at = at.timetuple()[:6]
        self.seal = Seal()

    @contextmanager
    def open(self, name: str) -> Iterator[Entry]:
        """A file to be written piece by piece."""
        with self._zip.open(self._named(name), "w", force_zip64=BIG) as out:
            entry = Entry(out)
            yield entry
        self.seal.add(name, entry.digest())

    def add(self, name: str, text: str) -> None:
        """A file that is there already."""
        with self.open(name) as entry:
            entry.write(text)

    def add_unsealed(self, name: str, text: str) -> None:
        """What tells the sums of all others and so has none."""
        self._zip.writestr(self._named(name), text)

    def close(self) -> None:
        self._zip.close()

    def _named(self, name: str) -> ZipInfo:
        info = ZipInfo(name, self._at)
        info.compress_type = ZIP_DEFLATED
        info.external_attr = 0o644 << 16  # readable by whoever unpacks it
        return info


class Entry:
    """One file of a bundle."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out, self._sum = out, hashlib.sha256()

    def write(self, text: str) -> None:
        data = text.encode()
        self._sum.update(data)
        self._out.write(data)

    def digest(self) -> str:
        return self._sum.hexdigest()
