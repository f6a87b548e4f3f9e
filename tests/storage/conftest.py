"""A world on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from storage.connect import connect_async
from tests.storage.world import COUNTER, GAUGE, LAMP, World


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    made = await World.make(database_url, LAMP, GAUGE, COUNTER)
    yield made
    await made.ground.close()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A second connection, for who comes in between."""
    async with await connect_async(database_url, "other") as conn:
        yield conn
