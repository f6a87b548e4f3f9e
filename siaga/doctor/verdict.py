"""What a check says: how it is, in a sentence, and what to do about it."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "warning", "problem"]


class Verdict(NamedTuple):
    """One line of the doctor. cure is empty where nothing has to be done."""

    check: str
    state: State
    what: str
    cure: str = ""


def ok(check: str, what: str) -> Verdict:
    return Verdict(check, "ok", what)


def warning(check: str, what: str, cure: str) -> Verdict:
    return Verdict(check, "warning", what, cure)


def problem(check: str, what: str, cure: str) -> Verdict:
    return Verdict(check, "problem", what, cure)
