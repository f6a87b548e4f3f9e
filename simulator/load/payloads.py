"""A city's readings as payloads for a load: text straight from columns, many readings of one device in a message.

The same fields as `devices.payload.encode` gives, with `ts` as epoch milliseconds. A reading costs 2 µs, as a dict 6:
numbers become text a column at a time, and one template holds all names of a message.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from pydantic_core import to_json

from devices.kind import Floats
from simulator.city import WHOLE, Block, City


class Messages:
    """Messages of `each` consecutive readings of one device, sent when the last of them is measured.

    A device's first message reaches back before the start of the city, as that of a device that was switched on
    before. Devices take turns, so that no moment has more messages than another.
    """

    def __init__(self, city: City, each: int) -> None:
        self._city, self._each = city, each
        self._first = city.pace.first(city.start_ms)

    def between(self, t0_ms: int, t1_ms: int) -> Iterator[tuple[int, bytes]]:
        """(device, payload) of all messages due in [t0_ms, t1_ms); a device's own are in their order."""
        city, each = self._city, self._each
        device, report = city.pace.between(t0_ms, t1_ms)
        due = (report + device) % each == each - 1
        device = np.repeat(device[due], each)
        report = np.repeat(report[due] - (each - 1), each) + np.tile(np.arange(each), int(due.sum()))
        ts_ms = city.pace.phase_ms[device] + report * city.pace.interval_ms[device]
        seq = report - self._first[device] + each - 1
        for block in city.measured(device, ts_ms, seq, city.boot[device]):
            yield from zip(block.device[::each].tolist(), payloads(block, each), strict=True)


def payloads(block: Block, each: int) -> list[bytes]:
    """The block's rows in their order, `each` in a payload: an object for one, an array for more."""
    columns = {
        b"ts": to_json(block.ts_ms.tolist()),
        b"seq": to_json(block.seq.tolist()),
        b"boot": to_json(block.boot.tolist()),
    } | {name.encode(): _text(name, column) for name, column in block.columns.items()}
    cells = [b""] * (len(block) * len(columns))
    for number, text in enumerate(columns.values()):
        cells[number :: len(columns)] = text[1:-1].split(b",")  # no text here has a comma of its own
    template = _template(tuple(columns), each)
    step = each * len(columns)
    return [template % tuple(cells[at : at + step]) for at in range(0, len(cells), step)]


def _text(name: str, column: Floats) -> bytes:
    """A JSON array; NaN is null, and what is counted a whole number."""
    if name not in WHOLE:
        return to_json(column.tolist(), inf_nan_mode="null")
    nothing = np.isnan(column)
    whole = np.where(nothing, 0, column).astype(np.int64).tolist()
    return to_json(
        [None if no else v for v, no in zip(whole, nothing.tolist(), strict=True)] if nothing.any() else whole
    )


@lru_cache(maxsize=64)
def _template(names: tuple[bytes, ...], each: int) -> bytes:
    one = b"{" + b",".join(b'"%b":%%b' % name for name in names) + b"}"
    return one if each == 1 else b"[" + b",".join([one] * each) + b"]"
