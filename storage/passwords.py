"""Passwords as they are stored: argon2id, its parameters in the text. 64 MiB and 50 ms each: not on an event loop."""

from __future__ import annotations

from functools import cache

from pwdlib import PasswordHash

LENGTH_MIN, LENGTH_MAX = 12, 200
_HASHER = PasswordHash.recommended()


def problem(password: str) -> str | None:
    """Why a password cannot be taken; None where it can."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        return f"a password has {LENGTH_MIN} to {LENGTH_MAX} characters"
    return None


def hashed(password: str) -> str:
    return _HASHER.hash(password)


def fits(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether it is the one, and what to store instead where parameters have changed since.

    Without a stored one it takes as long and is never the one: nobody learns by the time which names there are.
    """
    if stored is None:
        _HASHER.verify(password, _nobodys())
        return False, None
    return _HASHER.verify_and_update(password, stored)


@cache
def _nobodys() -> str:
    return _HASHER.hash("a password that is nobody's")
