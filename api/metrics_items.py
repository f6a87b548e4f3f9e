"""Buckets as clients see them, finished from the texts the database made, and those without readings filled in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from api.buckets import Bucket
from api.reply import encode
from storage import read_groups, read_metrics
from storage.as_json import time_text

# What holds on into a gap. A sum or a difference of a bucket without readings is not known.
HOLDS = ("avg", "min", "max", "last", "total")
Fill = Literal["none", "null", "previous"]


class Series(NamedTuple):
    """A bucket by name and number (from 1): its content a JSON object. heads: how each name begins its items."""

    rows: Sequence[tuple[str, int, str]]
    heads: Mapping[str, str]
    counts: Mapping[str, int]


def of_devices(rows: Sequence[read_metrics.Row], devices: Iterable[str]) -> Series:
    return Series(rows, {name: f'{{"device_id":"{name}",' for name in devices}, {"n": 0, "good": 0})


def of_groups(rows: Sequence[read_groups.Row]) -> Series:
    """Only groups that have a bucket: others may be of devices that were not there yet. null: no name, or all."""
    heads = {row.name: f'{{"group":{encode(row.name or None)},' for row in rows}
    return Series(rows, heads, {"devices": 0, "n": 0, "good": 0})


def items(series: Series, found: Sequence[Bucket], wanted: Mapping[str, Sequence[str]], fill: Fill) -> list[str]:
    ends = [f'"bucket":"{time_text(b.start)}","partial":{"true" if b.partial else "false"},' for b in found]
    if fill == "none":
        return [f"{series.heads[name]}{ends[number - 1]}{content[1:]}" for name, number, content in series.rows]
    there = {(name, number): content for name, number, content in series.rows}
    empty = encode({**series.counts, **{name: dict.fromkeys(names) for name, names in wanted.items()}})
    return list(_filled(there, series.heads, ends, empty, fill))


def columns(series: Series, wanted: Mapping[str, Sequence[str]], head: str) -> list[str]:
    """The columns of a table of items, metric_aggregate each; head: what names a series."""
    metrics = [f"{name}_{of}" for name, names in wanted.items() for of in names]
    return [head, "bucket", "partial", *series.counts, *metrics]


def rows(page: Iterable[str], names: Sequence[str]) -> Iterator[list[Any]]:
    """Items as rows of such a table."""
    for item in map(json.loads, page):
        flat: dict[str, Any] = {}
        for name, value in item.items():
            if isinstance(value, dict):
                flat |= {f"{name}_{of}": each for of, each in value.items()}
            else:
                flat[name] = value
        yield [flat.get(name) for name in names]


def _filled(
    there: Mapping[tuple[str, int], str], heads: Mapping[str, str], ends: Sequence[str], empty: str, fill: Fill
) -> Iterator[str]:
    for name, head in heads.items():
        gap = empty
        for number, end in enumerate(ends, 1):
            content = there.get((name, number))
            if content is not None and fill == "previous":
                gap = _held(content)
            yield f"{head}{end}{(content or gap)[1:]}"


def _held(content: str) -> str:
    """The content of a bucket without readings that follows this one."""
    values: dict[str, Any] = json.loads(content)
    for name, value in values.items():
        values[name] = {k: v if k in HOLDS else None for k, v in value.items()} if isinstance(value, dict) else 0
    return encode(values)
