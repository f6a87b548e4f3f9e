"""Readings: the newest, all, taken together, drawn, and sent."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Unpack

from siaga.client.answers import Number, Time, read
from siaga.client.plain import JSON, Plain
from siaga.client.values import Groups, Moment, Place, as_body, only, part, span


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest reading of a device. The live stream tells it without the rate."""

    device_id: str
    kind: str
    ts: Time
    received_at: Time
    qc: int
    late: bool
    values: Mapping[str, Number]
    interval_s: Number
    siaga: int | None
    rate: Number = None


@dataclass(frozen=True, slots=True)
class Reading:
    """values: every metric and diagnostic of the kind."""

    device_id: str
    ts: Time
    received_at: Time
    seq: int | None
    boot: str | None
    fw: str | None
    qc: int
    qc_reason: int
    late: bool
    siaga: int | None
    values: Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class Bucket:
    """Of a device, or of a group with its number of devices. values: by metric what was asked for, as avg."""

    bucket: Time
    n: int
    good: int
    partial: bool
    values: Mapping[str, Mapping[str, Number]]
    device_id: str | None = None
    group: str | None = None
    devices: int | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """Arrays of the same length, `t` in ms since 1970 UTC."""

    device_id: str
    metric: str
    source: str
    step_s: Number
    t: tuple[int, ...]
    v: tuple[Number, ...]
    min: tuple[Number, ...] | None
    max: tuple[Number, ...] | None
    qc: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class PostedItem:
    outcome: str
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    received: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int
    items: tuple[PostedItem, ...]


OF_READING = frozenset(each.name for each in fields(Reading))


class ReadingCalls(Plain):
    """Readings, both ways."""

    def latest(
        self,
        *,
        kind: str | None = None,
        device: str | None = None,
        since: Moment | None = None,
        at: Moment | None = None,
        limit: int | None = None,
        **place: Unpack[Place],
    ) -> Iterator[Latest]:
        """The newest reading of each device, now or as of `at`."""
        query = {"kind": kind, "device": device, "since": since, "at": at, "limit": limit, **only(Place, place)}
        return map(partial(read, Latest), self.items("/latest", **query))

    def readings(
        self,
        device: str | None = None,
        *,
        kind: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int | None = None,
        **place: Unpack[Place],
    ) -> Iterator[Reading]:
        """Of a device, or of all of a kind at a place; since <= ts < until, the last 24 hours when left out."""
        query = {"device": device, "kind": kind, "limit": limit, **span(since, until), **only(Place, place)}
        return map(read_reading, self.items("/readings", **query))

    def post_readings(self, readings: Iterable[Mapping[str, Any]], *, key: str | None = None) -> Posted:
        """Store readings, each with its device and ts. key: under it the request is done once, however often it is
        sent; without one it gets a key of its own, so that trying again here is safe."""
        headers = JSON | {"Idempotency-Key": key or uuid.uuid4().hex}
        body = as_body([dict(each) for each in readings])
        return read(Posted, self._wire.ask("POST", "/readings", None, body, headers, may_repeat=True))

    def metrics(
        self,
        kind: str,
        *,
        bucket: str = "1h",
        since: Moment | None = None,
        until: Moment | None = None,
        device: Sequence[str] | None = None,
        metric: Sequence[str] | None = None,
        agg: Sequence[str] | None = None,
        group: str | None = None,
        fill: str | None = None,
        tz: str | None = None,
        **groups: Unpack[Groups],
    ) -> Iterator[Bucket]:
        """Aggregates of each device, or with `group` of devices taken together."""
        query = {
            "bucket": bucket, "device": device, "metric": metric, "agg": agg, "group": group, "fill": fill, "tz": tz,
            **span(since, until), **only(Groups, groups),
        }  # fmt: skip
        return map(read_bucket, self.items(f"/metrics/{part(kind)}", **query))

    def series(
        self,
        device: Sequence[str],
        *,
        metric: Sequence[str] | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        points: int | None = None,
        method: str | None = None,
        good: bool | None = None,
    ) -> list[Curve]:
        """Curves in as many points as a screen has."""
        query = {"device": device, "metric": metric, "points": points, "method": method, "good": good}
        return [read(Curve, each) for each in self.items("/series", **query, **span(since, until))]


def read_reading(told: Mapping[str, Any]) -> Reading:
    """Every number beside the members of a reading is one of its values."""
    values = {name: value for name, value in told.items() if name not in OF_READING and _is_number(value)}
    return read(Reading, {**told, "values": values})


def read_bucket(told: Mapping[str, Any]) -> Bucket:
    """Every object beside the members of a bucket is a metric with its aggregates."""
    return read(Bucket, {**told, "values": {name: value for name, value in told.items() if isinstance(value, dict)}})


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
