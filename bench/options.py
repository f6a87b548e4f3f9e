"""Values of options that several benchmarks take."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection


def names_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Reads names of these, separated by commas. What it returns raises ArgumentTypeError for another."""

    def names(text: str) -> list[str]:
        chosen = [name.strip() for name in text.split(",") if name.strip()]
        wrong = [name for name in chosen if name not in known]
        if wrong or not chosen:
            raise argparse.ArgumentTypeError(f"{wrong[0] if wrong else text!r} is none of {', '.join(known)}")
        return chosen

    return names
