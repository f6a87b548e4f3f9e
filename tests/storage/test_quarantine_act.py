"""Who may do what with an entry, and that every change of state leaves an event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from storage.quarantine_act import CUT, Acted, Entry, Order, act, refusal
from tests.storage.world import LAMP, NOW, World, packet

pytestmark = pytest.mark.same_tables

ANNA, BUDI = Order("claim", "anna", NOW), Order("claim", "budi", NOW)


@pytest.mark.parametrize(
    ("entry", "order", "words"),
    [
        (Entry(1, "open", None, False, False), ANNA, None),
        (Entry(1, "claimed", "anna", False, False), ANNA, None),
        (Entry(1, "claimed", "anna", False, False), BUDI, "claimed by anna"),
        (Entry(1, "claimed", "anna", False, False), BUDI._replace(force=True), None),
        (Entry(1, "claimed", "anna", False, False), BUDI._replace(action="discard"), "claimed by anna"),
        (Entry(1, "open", "anna", False, False), BUDI, None),  # a replay that failed gave it back
        (Entry(1, "replaying", None, False, False), ANNA._replace(action="discard", force=True), "replaying already"),
        (Entry(1, "replayed", None, False, False), ANNA._replace(action="replay"), "replayed already"),
        (Entry(1, "open", None, True, False), ANNA._replace(action="replay"), "SIAGA_QUARANTINE_DEVICE_DAY"),
        (Entry(1, "open", None, False, True), ANNA._replace(action="replay"), "SIAGA_PAYLOAD_MAX_BYTES"),
        (Entry(1, "open", None, True, True), ANNA._replace(action="discard"), None),
    ],
)
def test_refusals(entry: Entry, order: Order, words: str | None) -> None:
    found = refusal(entry, order)
    assert (found is None) if words is None else (found is not None and words in found)


async def ids(world: World) -> list[int]:
    return [number for (number,) in await world.rows("SELECT id FROM quarantine ORDER BY id")]


async def test_each_entry_on_its_own_and_an_event_for_each_change(world: World) -> None:
    await world.send([packet(LAMP.id, {"ts": NOW + timedelta(hours=h)}) for h in (7, 8)])
    one, two = await ids(world)
    assert await act(world.conn, [one], ANNA) == [Acted(one, "claimed")]
    assert await act(world.conn, [two, one, 10**9], BUDI._replace(action="discard", note="bench test")) == [
        Acted(one, "claimed", "claimed by anna; force takes it from them"),
        Acted(two, "discarded"),
    ]
    query = "SELECT entry_id, who, what, note FROM quarantine_event ORDER BY id"
    assert await world.rows(query) == [(one, "anna", "claimed", None), (two, "budi", "discarded", "bench test")]
    assert await world.rows("SELECT id, state, claimed_by FROM quarantine ORDER BY id") == [
        (one, "claimed", "anna"),
        (two, "discarded", None),
    ]


async def test_a_payload_that_was_cut_cannot_be_replayed(database_url: str) -> None:
    world: Any = await World.make(database_url, LAMP, payload_max_bytes=1024)
    await world.send([packet(LAMP.id, {"ts": NOW, "boot": "x" * 2000})])
    ((number, detail),) = await world.rows("SELECT id, detail FROM quarantine")
    assert detail.endswith(CUT)
    (done,) = await act(world.conn, [number], ANNA._replace(action="replay"))
    assert done.state == "open"
    assert "gone" in str(done.problem)
    await world.ground.close()
