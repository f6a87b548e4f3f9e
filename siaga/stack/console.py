"""What `siaga up` says on the terminal: one line a part. A terminal that is gone stops nothing."""

from __future__ import annotations

import contextlib
import sys

WIDTH = 10


def say(text: str = "") -> None:
    with contextlib.suppress(OSError, ValueError):
        print(text, flush=True)


def say_of(part: str, text: str, seconds: float | None = None) -> None:
    took = "" if seconds is None else f"  ({round(seconds * 1000):,} ms)"
    say(f"{part:<{WIDTH}}  {text}{took}")


def say_lines(lines: list[str]) -> None:
    for line in lines:
        say(f"{'':<{WIDTH}}  | {line}")


def complain(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"siaga: {text}", file=sys.stderr, flush=True)
