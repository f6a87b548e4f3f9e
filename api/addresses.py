"""Addresses that cannot be mistaken for one another: a name that is spelled out beats one that is a parameter.

Without it `GET /alerts/bulk`, where only POST is, would be the alert with the id "bulk", and 405 would name methods of
other addresses. Pure but for the patterns of the routes, which it sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args, get_origin

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

# What a parameter can only be, as a pattern, by address and parameter; of others it is not known.
Only = Mapping[tuple[str, str], str]
INTEGER = "-?[0-9]+"


def distinguish(routes: Iterable[BaseRoute]) -> None:
    """Let each documented route match only what no other address spells out at the same place."""
    known = [route for route in routes if isinstance(route, APIRoute) and route.include_in_schema]
    only = _only(known)
    for route in known:
        others = [other.path for other in known if other.path != route.path]
        route.path_regex = re.compile(pattern(route.path, others, only))


def pattern(path: str, others: Sequence[str], only: Only) -> str:
    """The regular expression of one address, beside the others."""
    parts = path.split("/")
    made = []
    for place, part in enumerate(parts):
        if not part.startswith("{"):
            made.append(re.escape(part))
            continue
        beside = [other for other in (each.split("/") for each in others) if _beside(parts, other, place)]
        spelled = {_spelled(other, place, only) for other in beside} - {None, only.get((path, part[1:-1]))}
        taken = "|".join(sorted(filter(None, spelled)))
        not_taken = f"(?!(?:{taken})(?:/|$))" if taken else ""
        made.append(f"{not_taken}(?P<{part[1:-1]}>[^/]+)")
    return f"^{'/'.join(made)}$"


def _beside(parts: Sequence[str], other: Sequence[str], place: int) -> bool:
    """Whether two addresses are alike up to this place, and could be in what follows it."""
    if len(parts) != len(other) or parts[:place] != other[:place]:
        return False
    return all(a == b or "{" in a + b for a, b in zip(parts[place + 1 :], other[place + 1 :], strict=True))


def _spelled(other: Sequence[str], place: int, only: Only) -> str | None:
    """What stands there in the other address, as a pattern; None: anything."""
    part = other[place]
    return only.get(("/".join(other), part[1:-1])) if part.startswith("{") else re.escape(part)


def _only(routes: Iterable[APIRoute]) -> Only:
    found: dict[tuple[str, str], str] = {}
    for route in routes:
        for parameter in route.dependant.path_params:
            kind = parameter.field_info.annotation
            if kind is int:
                found[route.path, parameter.alias] = INTEGER
            elif get_origin(kind) is Literal:
                found[route.path, parameter.alias] = "|".join(map(re.escape, get_args(kind)))
    return found
