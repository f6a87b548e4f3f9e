"""Handing a shift over: who may sign, in which order gauges are told, and what has changed since it was signed. Pure.

A draft is what api/handover_draft.py puts together, as JSON has it; docs/handover.md describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

Part = Literal["gauges", "open", "shelved", "windows", "silent", "suspect", "incomplete", "forecasts"]
Told = Mapping[str, Any]

# What counts as a change of a line: not that a level rose by a centimetre, or that time has passed.
FIELDS: dict[Part, tuple[str, ...]] = {
    "gauges": ("siaga",),
    "open": ("severity", "siaga", "state", "acked", "assignee"),
    "shelved": ("shelved_until",),
    "windows": ("to",),
    "silent": (),
    "suspect": (),
    "incomplete": (),
    "forecasts": ("levels",),
}


class Change(NamedTuple):
    """A line of a part of the draft, by its id: it came, it went, or these of its members are others."""

    part: Part
    id: str
    what: Literal["added", "gone", "changed"]
    fields: tuple[str, ...] = ()


class Signature(NamedTuple):
    """Who wants to take over, whether as an admin, and why alone."""

    who: str
    is_admin: bool
    reason: str | None


def refusal(signature: Signature, given_by: str, unacknowledged: int) -> str | None:
    """Why somebody cannot sign as taking over; None where they can.

    Two people sign. Where there is but one, an admin says why; what nobody has acknowledged blocks them just as well.
    """
    if unacknowledged:
        return f"{unacknowledged} alerts are unacknowledged: nobody looks after them; acknowledge them first"
    if signature.who == given_by and not signature.is_admin:
        return f"{given_by} hands over, so somebody else takes over; where there is nobody, an admin with a reason"
    if signature.who == given_by and not (signature.reason or "").strip():
        return f"{given_by} hands over as well: say in reason why nobody else takes over"
    return None


def changes(before: Told, after: Told) -> list[Change]:
    """What is told otherwise in a later draft, part by part."""
    found: list[Change] = []
    for part, fields in FIELDS.items():
        old, new = _lines(before, part), _lines(after, part)
        found += [Change(part, key, "added") for key in new if key not in old]
        found += [Change(part, key, "gone") for key in old if key not in new]
        for key in new:
            if key in old and (others := tuple(name for name in fields if old[key][name] != new[key][name])):
                found.append(Change(part, key, "changed", others))
    return found


def downstream(gauges: Iterable[tuple[str, str | None]]) -> list[str]:
    """Ids in the order in which water passes them: each (id, id of the gauge upstream) after that one, else by id."""
    above = dict(sorted(gauges))
    return sorted(above, key=lambda gauge: _way(gauge, above))


def _way(gauge: str, above: Mapping[str, str | None]) -> list[str]:
    """From the first gauge of a river to this one; a circle, which somebody may have entered, is cut."""
    way = [gauge]
    while (upstream := above.get(way[-1])) is not None and upstream in above and upstream not in way:
        way.append(upstream)
    return way[::-1]


def _lines(told: Told, part: Part) -> dict[str, dict[str, Any]]:
    if part == "gauges":
        rows = [gauge for river in told["rivers"] for gauge in river["gauges"]]
    elif part in ("silent", "suspect", "incomplete"):
        rows = told["degraded"][part]["items"]
    elif part == "forecasts":
        rows = [row | {"levels": [(each["siaga"], each["stage"]) for each in row["levels"]]} for row in told[part]]
    else:
        rows = told[part]["items"]
    return {str(row["id"] if "id" in row else row["device_id"]): row for row in rows}
