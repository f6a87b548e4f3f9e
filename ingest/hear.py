"""What devices say beside readings: who is connected, and what became of commands. One transaction, then acknowledged.

It never waits for the hot loop, nor that for it: sessions and connections are its own. A message that says nothing we
can use is counted and gone: readings alone are what must never be lost, and strangers must not fill a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import psycopg

from devices.batch import Packet
from devices.commands import Answer, read_answer
from devices.topics import parse_other
from storage import commands, presence

Outcome = Literal["taken", "same", "malformed", "unknown_device", "identity_mismatch", "unknown_command"]
Regions = Mapping[str, str | None]
ONLINE, OFFLINE = b"online", b"offline"


class Said(NamedTuple):
    """A message of a device, and which topic it came by."""

    region: str
    device_id: str
    what: str
    packet: Packet


class Statuses(NamedTuple):
    """The last word of each device, and those that take theirs back (an empty message, as it clears a retained one)."""

    told: dict[str, tuple[bool, datetime]]
    gone: set[str]


async def hear_status(conn: psycopg.AsyncConnection[Any], packets: Sequence[Packet]) -> dict[Outcome, int]:
    """Take over who is connected; what became of the messages. Raises psycopg.Error with nothing changed."""
    said = said_of(packets)
    async with conn.transaction():
        known = await presence.regions_of(conn, sorted({each.device_id for each in said}))
        told, counts = statuses(said, known)
        moved = await presence.tell(conn, told.told) if told.told else 0
        if told.gone:
            await presence.forget(conn, sorted(told.gone))
    moved += len(told.gone)
    counts["malformed"] += len(packets) - len(said)
    counts["taken"], counts["same"] = moved, len(packets) - sum(counts.values()) - moved
    return counts


async def hear_results(conn: psycopg.AsyncConnection[Any], packets: Sequence[Packet]) -> dict[Outcome, int]:
    """Take over what became of commands; what became of the messages. Raises psycopg.Error with nothing changed."""
    said = said_of(packets)
    async with conn.transaction():
        known = await presence.regions_of(conn, sorted({each.device_id for each in said}))
        answers, counts = results(said, known)
        moved = ours = set[str]()
        if answers:
            ours = await commands.known(conn, answers)
            moved = await commands.answered(conn, answers, max(packet.received_at for packet in packets))
    counts["malformed"] += len(packets) - len(said)
    counts["unknown_command"] = sum(answer.id not in ours for _, answer in answers)
    counts["taken"] = len(moved)
    counts["same"] = len(answers) - counts["unknown_command"] - len(moved)
    return counts


def said_of(packets: Sequence[Packet]) -> list[Said]:
    """Messages whose topic names a device."""
    parsed = ((parse_other(packet.topic), packet) for packet in packets)
    return [Said(topic[0].region, topic[0].device_id, topic[1], packet) for topic, packet in parsed if topic]


def statuses(said: Sequence[Said], known: Regions) -> tuple[Statuses, dict[Outcome, int]]:
    """What devices say of themselves, the last counts; and how many messages say nothing."""
    counts, found = _nothing(), Statuses({}, set())
    for each in said:
        if (why := _refused(each, known)) is not None:
            counts[why] += 1
        elif not each.packet.payload:
            found.told.pop(each.device_id, None)
            found.gone.add(each.device_id)
        elif each.packet.payload in (ONLINE, OFFLINE):
            found.gone.discard(each.device_id)
            found.told[each.device_id] = each.packet.payload == ONLINE, each.packet.received_at
        else:
            counts["malformed"] += 1
    return found, counts


def results(said: Sequence[Said], known: Regions) -> tuple[list[tuple[str, Answer]], dict[Outcome, int]]:
    """Answers with the devices that give them, and how many messages are none."""
    counts: dict[Outcome, int] = _nothing()
    found: list[tuple[str, Answer]] = []
    for each in said:
        answer = read_answer(each.packet.payload)
        why: Outcome | None = _refused(each, known) or (None if answer else "malformed")
        if why is not None:
            counts[why] += 1
        elif answer is not None:
            found.append((each.device_id, answer))
    return found, counts


def _refused(each: Said, known: Regions) -> Outcome | None:
    """Why a message counts for nothing, whatever it says."""
    if each.device_id not in known:
        return "unknown_device"
    region = known[each.device_id]
    return None if region in (None, each.region) else "identity_mismatch"


def _nothing() -> dict[Outcome, int]:
    return {"malformed": 0, "unknown_device": 0, "identity_mismatch": 0}
