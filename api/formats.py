"""In what form a list is answered: `format=`, else what Accept says, else JSON; and which of its fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from fastapi import Query
from starlette.requests import Request

from api.problems import wrong_field
from api.reply import encode

Format = Literal["json", "csv", "geojson"]
FormatOf = Annotated[Format | None, Query(alias="format", description="or by Accept: text/csv, application/geo+json")]
Table = Annotated[Literal["json", "csv"] | None, Query(alias="format", description="or by Accept: text/csv")]
Fields = Annotated[
    str | None, Query(alias="fields", description="only these members or columns, separated by commas", min_length=1)
]
MEDIA: dict[str, Format] = {"text/csv": "csv", "application/geo+json": "geojson"}


def chosen(request: Request, told: Format | None, has_places: bool = False) -> Format:
    """has_places: whether there is GeoJSON of it."""
    if told is not None:
        return told
    accepted = [part.partition(";")[0].strip() for part in request.headers.get("accept", "").split(",")]
    found: Format = next((MEDIA[each] for each in accepted if each in MEDIA), "json")
    return "json" if found == "geojson" and not has_places else found


def fields(text: str | None, known: Sequence[str]) -> list[str] | None:
    """The names asked for, in the order in which they are known; None for all. Raises 422 that lists those known."""
    if text is None:
        return None
    asked = {name.strip() for name in text.split(",")} - {""}
    if not asked or (unknown := sorted(asked.difference(known))):
        what = f"{unknown[0]!r} is unknown" if asked else "is empty"
        raise wrong_field("fields", f"{what}; known are {', '.join(known)}")
    return [name for name in known if name in asked]


def only(items: Iterable[str], names: Sequence[str] | None) -> Iterable[str]:
    """JSON objects with these members alone."""
    if names is None:
        return items
    return (encode({name: item[name] for name in names}) for item in map(json.loads, items))
