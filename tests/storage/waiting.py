"""Waits for what another session of the server does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110  # another process has no event for us
            await asyncio.sleep(0.01)


async def until_waiting(look: psycopg.AsyncConnection[Any], *pids: int) -> None:
    """Until all of these sessions wait for a lock."""

    async def all_wait() -> bool:
        rows = await (await look.execute("SELECT pid FROM pg_locks WHERE NOT granted")).fetchall()
        return {pid for (pid,) in rows} >= set(pids)

    await until(all_wait)
