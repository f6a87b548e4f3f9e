"""Logs of the parts: DIR/logs/<part>.log, kept from growing for ever."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LOG_MAX_BYTES = 16 * (1 << 20)
LINE_MAX = 300


def size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0


def tail(log: Path, lines: int, since: int = 0) -> list[str]:
    """The last lines, at most those written since the file had that size."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            start = since if since <= end else 0
            file.seek(max(start, end - lines * LINE_MAX * 4))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line[:LINE_MAX] for line in text.splitlines() if line.strip()][-lines:]


def rotate(log: Path) -> None:
    """Move a large log aside as <name>.1. Copied and cut, as the part goes on writing to the file it has open (it
    appends): a line written between the two steps is lost."""
    if size(log) > LOG_MAX_BYTES:
        shutil.copyfile(log, log.with_name(log.name + ".1"))
        os.truncate(log, 0)
