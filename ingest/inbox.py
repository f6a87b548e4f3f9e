"""Readings that came over HTTP: one request a transaction, through the same intake, checks, engine and writer.

They arrive when ingest takes them up, as packets of the broker do; so there is one clock that theirs are judged by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pydantic_core import to_json

from devices.batch import Batch, Packet, Quarantined
from devices.fleet import Fleet
from ingest.ground import Ground
from ingest.intake import STRANGER, Limits, take_in
from runtime.log import get_logger
from storage import inbox
from storage.inbox import Taken
from storage.ledger import OUTCOMES
from storage.write import Written

log = get_logger(__name__)

# Where an item came from that names no device and so has no topic.
NOWHERE = "POST /api/v1/readings"
NO_DEVICE = "device: each reading names its device, 1 to 64 letters, digits, _ or -"
REFUSED_BY_DATABASE = "the database refuses it; the entry says why"

Outcome = dict[str, str]
Store = Callable[[Ground, Batch], Awaitable[Sequence[Written]]]


async def take_posted(ground: Ground, limits: Limits, regions: Sequence[str] | None, store: Store) -> bool:
    """Do the oldest request that waits; False where there is none. Raises psycopg.Error, with nothing committed."""
    if not await inbox.is_waiting(ground.conn, regions):
        return False
    await ground.look_for_devices()  # one may post the moment after it was registered
    # What memory learns on the way is only true once this is committed: whoever sees it fail gives up the ground.
    async with ground.conn.transaction():
        taken = await inbox.take(ground.conn, regions)
        if taken is None:
            return False
        now = datetime.now(UTC)
        packets, nowhere = as_packets(taken, now)
        batch = take_in(packets, ground.fleet, limits)
        written = await store(ground, replace(batch, quarantined=[*batch.quarantined, *nowhere.values()]))
        items = outcomes(packets, nowhere, written, ground.fleet, limits)
        await inbox.finish(ground.conn, taken.id, _answer(items), now)
    log.info("readings.posted", readings=len(items))
    return True


def as_packets(taken: Taken, now: datetime) -> tuple[list[Packet], dict[int, Quarantined]]:
    """Items as packets whose delivery is the number of the item, from 1; those without a device by their number."""
    packets, nowhere = [], {}
    for number, (topic, payload) in enumerate(zip(taken.topics, taken.payloads, strict=True), 1):
        if topic:
            packets.append(Packet(topic, payload, now, number))
        else:
            nowhere[number] = Quarantined("malformed", STRANGER, NOWHERE, payload, NO_DEVICE, now, now)
    return packets, nowhere


def outcomes(
    packets: Iterable[Packet],
    nowhere: Mapping[int, Quarantined],
    written: Iterable[Written],
    fleet: Fleet,
    limits: Limits,
) -> list[Outcome]:
    """What became of each item, in their order."""
    found = {number: _refused(entry) for number, entry in nowhere.items()}
    for readings, rows in (pair for each in written for pair in each.readings):
        for outcome in ("stored", "duplicate", "conflict"):
            for row in getattr(rows, outcome):
                found[readings.packet[row].delivery] = {"outcome": outcome}
    for packet in packets:
        if packet.delivery not in found:  # refused, and a batch does not say which: asked alone, it does
            refused = take_in([packet], fleet, limits).quarantined
            found[packet.delivery] = (
                _refused(refused[0])
                if refused
                else {"outcome": "quarantined", "reason": "storage", "detail": REFUSED_BY_DATABASE}
            )
    return [found[number] for number in sorted(found)]


def _refused(entry: Quarantined) -> Outcome:
    return {"outcome": "quarantined", "reason": entry.reason, "detail": entry.detail}


def _answer(items: Sequence[Outcome]) -> str:
    told = [item["outcome"] for item in items]
    counts = {outcome: told.count(outcome) for outcome in OUTCOMES}
    return to_json({"received": len(items), **counts, "items": items}).decode()
