"""A device's newest reading as clients see it, finished from the text the database made."""

from __future__ import annotations

from api.reply import encode
from devices.kinds import KINDS
from storage.read_latest import Latest

INTERVALS = {kind.name: encode(kind.interval_s) for kind in KINDS.values()}


def latest_item(found: Latest, rate: float | None) -> str:
    return f'{_unclosed(found)},"rate":{"null" if rate is None else encode(rate)}}}'


def live_item(found: Latest) -> str:
    """The same without the rate, which a live client keeps as it has it."""
    return f"{_unclosed(found)}}}"


def _unclosed(found: Latest) -> str:
    interval = INTERVALS.get(found.kind, "null")
    return f'{found.head},"interval_s":{interval},"siaga":{found.siaga or "null"}'
