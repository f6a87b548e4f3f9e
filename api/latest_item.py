"""A device's newest reading as clients see it, finished from the text the database made."""

from __future__ import annotations

from api.reply import encode
from devices.kinds import KINDS
from storage.read_latest import Latest

INTERVALS = {kind.name: encode(kind.interval_s) for kind in KINDS.values()}


def latest_item(found: Latest, rate: float | None) -> str:
    return f'{live_item(found)[:-1]},"rate":{encode(rate)}}}'


def live_item(found: Latest) -> str:
    """The same without the rate, which a live client keeps as it has it."""
    interval = INTERVALS.get(found.kind, "null")
    return f'{found.head},"interval_s":{interval},"siaga":{found.siaga or "null"}}}'
