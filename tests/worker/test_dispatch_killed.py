"""kill -9 of the worker where a message is made, and between sending it and marking it as sent."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.storage.world import NOW, World, transition
from tests.whole import only_whole
from tests.worker.conftest import Service
from tests.worker.killed import Moment, kill_worker
from tests.worker.test_process import ask, running, until
from worker.dispatch import dispatch_at

SENT = "SELECT count(*) FILTER (WHERE sent_at IS NOT NULL), count(*) FROM delivery"
MADE = "SELECT count(*) FROM delivery"


def finish(url: str, service: Service) -> None:
    """The next worker, until everything is sent."""
    with running(url, SIAGA_NOTIFY_URLS=service.url()) as worker:
        until(lambda: ask(url, SENT) == [(1, 1)])
        worker.terminate()
        assert worker.wait(60) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "made"),
    [
        (Moment("delivery", "IMMEDIATE", "notices"), 0),
        pytest.param(Moment("delivery", "DEFERRED", "notices"), 0, marks=only_whole),
        (Moment("delivery", "DEFERRED", "goes on"), 1),
    ],
    ids=lambda value: f"{value.when} {value.server}".lower() if isinstance(value, Moment) else None,
)
async def test_while_a_message_is_made_it_is_made_once(
    world: World, other: psycopg.AsyncConnection[Any], service: Service, at: Moment, made: int
) -> None:
    await world.move(transition("raised", 2))
    await kill_worker(world.url, other, at, SIAGA_NOTIFY_URLS=service.url())
    until(lambda: ask(world.url, MADE) == [(made,)])
    finish(world.url, service)
    assert len(service.taken) == 1


@pytest.mark.slow
async def test_between_sending_and_marking_it_is_sent_again(
    world: World, worker: Any, other: psycopg.AsyncConnection[Any], service: Service
) -> None:
    here = await worker(notify_urls=service.url())
    await world.move(transition("raised", 2))
    await dispatch_at(here, NOW)
    await kill_worker(world.url, other, Moment("delivery", "IMMEDIATE", "notices"), SIAGA_NOTIFY_URLS=service.url())
    assert len(service.taken) == 1
    assert ask(world.url, SENT) == [(0, 1)]
    # As if half a minute had passed.
    await world.conn.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
    finish(world.url, service)
    assert len(service.taken) == 2
