"""Who may be the one ingest process of a session, and of a topic; and when each last committed something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from storage.connect import connect_async
from storage.ingest_session import ClashError, StandbyError, Stream, committed, streams, take
from tests.storage.waiting import until
from tests.storage.world import NOW

Conn = psycopg.AsyncConnection[Any]
EAST, WEST, BOTH = (f"siaga/v1/{region}/+/readings" for region in ("12.09", "12.10", "+"))


@pytest.fixture
async def first(database_url: str) -> AsyncIterator[Conn]:
    async with await connect_async(database_url, "test") as conn:
        yield conn


@pytest.fixture
async def second(database_url: str) -> AsyncIterator[Conn]:
    async with await connect_async(database_url, "test") as conn:
        yield conn


@pytest.mark.two_sessions
async def test_a_second_process_of_a_session_stands_by_and_takes_over(first: Conn, second: Conn) -> None:
    await take(first, "ingest", [EAST])
    with pytest.raises(StandbyError):
        await take(second, "ingest", [EAST])
    await first.close()

    async def taken() -> bool:
        try:
            await take(second, "ingest", [EAST])
        except StandbyError:
            return False
        return True

    await until(taken)  # the server frees it with the connection


async def test_regions_of_their_own_go_beside_each_other(first: Conn, second: Conn) -> None:
    await take(first, "east", [EAST])
    await take(second, "west", [WEST])
    await take(second, "west", [WEST])  # again, as after a lost connection


@pytest.mark.two_sessions
@pytest.mark.parametrize(("client_id", "filters"), [("ingest", [WEST]), ("ingest", [EAST, WEST])])
async def test_the_same_session_with_other_regions_is_refused(
    first: Conn, second: Conn, client_id: str, filters: list[str]
) -> None:
    await take(first, "ingest", [EAST])
    with pytest.raises(ClashError, match=rf"^SIAGA_INGEST_CLIENT_ID: .* ingest runs and serves {EAST[:14]}"):
        await take(second, client_id, filters)


@pytest.mark.two_sessions
@pytest.mark.parametrize("filters", [[EAST], [WEST, EAST], [BOTH]])
async def test_regions_that_another_process_serves_are_refused(first: Conn, second: Conn, filters: list[str]) -> None:
    await take(first, "east", [EAST])
    with pytest.raises(ClashError, match=r"^SIAGA_INGEST_REGIONS: .* by the ingest process east, which runs"):
        await take(second, "other", filters)
    # Who was refused stands in nobody's way.
    await second.close()
    assert await rows(first) == {"east": [EAST]}


@pytest.mark.two_sessions
async def test_who_ended_may_be_replaced_under_another_name(first: Conn, second: Conn) -> None:
    await take(first, "old", [EAST])
    await committed(first, Stream("old", NOW, 300))
    await first.close()

    async def taken() -> bool:
        try:
            await take(second, "new", [EAST, WEST])
        except ClashError:
            return False
        return True

    await until(taken)
    # It is not missed, being replaced.
    assert await rows(second) == {"new": [EAST, WEST]}


async def test_what_it_is_called_at_the_broker_stays(first: Conn) -> None:
    assert await take(first, "ingest", [EAST], "ingest-5f0c") == "ingest-5f0c"
    assert await take(first, "ingest", [EAST, WEST], "ingest-9b1e") == "ingest-5f0c"


async def test_when_each_last_committed(first: Conn, second: Conn) -> None:
    await take(first, "east", [EAST])
    await take(second, "west", [WEST])
    assert await streams(first) == []
    await committed(first, Stream("east", NOW, 300))
    await committed(second, Stream("west", NOW + timedelta(seconds=5), None))
    assert sorted(await streams(first)) == [
        Stream("east", NOW, 300),
        Stream("west", NOW + timedelta(seconds=5), None),
    ]


async def rows(conn: Conn) -> dict[str, list[str]]:
    return {
        name: filters async for name, filters in await conn.execute("SELECT client_id, filters FROM ingest_session")
    }
