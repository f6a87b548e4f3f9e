"""What a broker is to whoever keeps its users: something that is told, as often as one likes, who may connect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from devices.identity import Identity


class SyncError(Exception):
    """The broker could not be brought to what it should be; the message says why. It is tried again."""


class Done(NamedTuple):
    """How many users there are now, and how many were changed for it, taken away included; None: nobody counted.

    left_out: those that this broker, as it is set up, could not check.
    """

    users: int
    changed: int | None
    left_out: int = 0


class Target(Protocol):
    def apply(self, identities: Sequence[Identity]) -> Done:
        """Bring the broker there, and return when it is. Blocks. Raises SyncError."""
        ...
