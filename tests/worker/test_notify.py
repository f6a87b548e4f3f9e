"""Notices: once per channel, again after a crash, given up in the end, and never a secret in a log or a row."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from procrastinate.jobs import Job

from tests.storage.waiting import until
from tests.storage.world import NOW, World, minutes, packet, transition
from tests.worker.conftest import Service
from worker import notify
from worker.channels import parse, without_secrets
from worker.context import Context
from worker.notify import TRIES_MAX, BackOff, NotSentError, tell

Make = Callable[..., Any]

NOTICE = "SELECT channel, tries, sent_at IS NOT NULL, gave_up, error FROM notice ORDER BY channel"
JOBS = "SELECT status::text, attempts FROM procrastinate_jobs ORDER BY id"


async def raised(world: World) -> int:
    """A gauge goes to Siaga 2; the id of the transition, whose job waits in the outbox."""
    written = await world.move(transition("raised", 2))
    return written.transitions[0][0]


@asynccontextmanager
async def working(here: Context) -> AsyncIterator[None]:
    """The queue is worked meanwhile."""
    notify.register(here)
    task = asyncio.create_task(notify.send_notices(here))
    try:
        yield
    finally:
        here.stop.set()
        await task


async def test_every_channel_is_told_once(world: World, worker: Make, service: Service) -> None:
    here = await worker(notify_urls=f"{service.url('a')} {service.url('b')}", api_url="http://siaga.test")
    before = NOW - minutes(50)
    await world.send([packet("gauge", {"ts": before, "level_m": 2.1}, at=before)])
    await world.conn.execute("UPDATE device SET name = 'Buntu Pane' WHERE id = 'gauge'")
    number = await raised(world)
    async with working(here):
        await until(lambda: _has(world, JOBS, ("succeeded", 1)))
    assert await world.rows(NOTICE) == [("1 json", 1, True, False, None), ("2 json", 1, True, False, None)]
    assert len(service.taken) == 2
    told = service.taken[0]
    assert told["title"] == "Buntu Pane naik ke Siaga 2"
    for piece in (
        "2,60 m, +0,60 m/jam",
        "Siaga 2 (Siaga)",
        "Pukul 19.00 WIB, 24 Nov 2026",
        "siaga.test/peringatan?id=",
    ):
        assert piece in told["message"]
    await tell(here, parse(here.settings.notify_urls.get_secret_value()), number, last=False)
    assert len(service.taken) == 2


async def test_without_channels_the_job_is_done(world: World, worker: Make, capsys: pytest.CaptureFixture[str]) -> None:
    here = await worker()
    await raised(world)
    async with working(here):
        await until(lambda: _has(world, JOBS, ("succeeded", 1)))
    assert await world.rows(NOTICE) == []
    assert "notices.nowhere" in "".join(capsys.readouterr())


async def test_a_crash_between_sending_and_marking_sends_again(world: World, worker: Make, service: Service) -> None:
    here = await worker()
    channels = parse(service.url())
    number = await raised(world)
    async with world.conn.transaction():
        await world.conn.execute("LOCK TABLE notice IN EXCLUSIVE MODE")  # it can be sent but not marked
        crashing = asyncio.create_task(tell(here, channels, number, last=False))
        await until(lambda: _true(bool(service.taken)))
        crashing.cancel()
        await asyncio.gather(crashing, return_exceptions=True)
    assert await world.rows(NOTICE) == []
    await tell(here, channels, number, last=False)
    assert len(service.taken) == 2
    assert await world.rows(NOTICE) == [("1 json", 1, True, False, None)]


async def test_what_may_pass_is_tried_again_on_that_channel_only(world: World, worker: Make, service: Service) -> None:
    here = await worker()
    broken = Service()
    broken.status = 503
    try:
        channels = parse(f"{service.url()} {broken.url()}")
        number = await raised(world)
        for _ in range(2):
            with pytest.raises(NotSentError, match="2 json"):
                await tell(here, channels, number, last=False)
        ((_, tries, sent, gave_up, error),) = (await world.rows(NOTICE))[1:]
        assert (tries, sent, gave_up) == (2, False, False)
        assert "503" in error
        broken.status = 200
        await tell(here, channels, number, last=False)
    finally:
        broken.close()
    assert await world.rows(NOTICE) == [("1 json", 1, True, False, None), ("2 json", 3, True, False, None)]
    assert len(service.taken) == 1


async def test_what_is_refused_for_good_is_not_tried_again(world: World, worker: Make, service: Service) -> None:
    here = await worker()
    service.status = 404
    channels = parse(service.url())
    number = await raised(world)
    for _ in range(2):
        await tell(here, channels, number, last=False)
    ((_, tries, sent, gave_up, error),) = await world.rows(NOTICE)
    assert (tries, sent, gave_up) == (1, False, True)
    assert "404" in error


async def test_the_last_try_gives_up_and_keeps_the_error(world: World, worker: Make, service: Service) -> None:
    here = await worker()
    service.status = 500
    number = await raised(world)
    await tell(here, parse(service.url()), number, last=True)
    ((_, _, sent, gave_up, error),) = await world.rows(NOTICE)
    assert (sent, gave_up) == (False, True)
    assert "500" in error


async def test_a_failed_job_waits_for_its_next_turn(world: World, worker: Make, service: Service) -> None:
    here = await worker(notify_urls=service.url())
    service.status = 503
    await raised(world)
    async with working(here):
        await until(lambda: _has(world, JOBS, ("todo", 1)))
    assert await world.one("SELECT scheduled_at > now() - interval '1 minute' FROM procrastinate_jobs")


def test_pauses_grow_and_end_after_hours() -> None:
    job = Job(id=1, queue="notices", lock=None, queueing_lock=None, task_name="notify")
    decisions = [
        BackOff().get_retry_decision(exception=NotSentError(), job=job.evolve(attempts=n)) for n in range(TRIES_MAX)
    ]
    pauses = [notify.pause_s(n) for n in range(TRIES_MAX - 1)]
    assert [d is None for d in decisions] == [False] * (TRIES_MAX - 1) + [True]
    assert pauses[:4] == [5, 10, 20, 40]
    assert pauses == sorted(pauses)
    assert 3600 < sum(pauses) < 3 * 3600


async def test_no_secret_gets_out(
    world: World, worker: Make, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    here = await worker()
    url = service.url("token-of-a-bot").replace("json://", "json://operator:geheim123@")
    service.close()  # nobody answers
    number = await raised(world)
    libraries = io.StringIO()
    handler = logging.StreamHandler(libraries)
    logging.getLogger().addHandler(handler)
    try:
        with pytest.raises(NotSentError):
            await tell(here, parse(f"{url} unheard-of://very-secret a-bare-secret"), number, last=False)
    finally:
        logging.getLogger().removeHandler(handler)
    written = f"{await world.rows(NOTICE)} {''.join(capsys.readouterr())} {libraries.getvalue()}"
    assert "1 json" in written
    assert "channel.refused" in written
    for secret in ("geheim123", "token-of-a-bot", "very-secret", "bare-secret"):
        assert secret not in written


def test_pieces_of_the_url_are_taken_out_of_errors() -> None:
    url = "tgram://123456:ABC-def_ghi/-100200300?tz=yes"
    assert without_secrets("POST /bot123456:ABC-def_ghi/sendMessage tz", url) == "POST /bot***:***/sendMessage tz"


async def test_a_transition_that_is_gone_is_nothing_to_tell(world: World, worker: Make, service: Service) -> None:
    await tell(await worker(), parse(service.url()), 4711, last=False)
    assert service.taken == []


async def _has(world: World, query: str, *rows: tuple[Any, ...]) -> bool:
    return await world.rows(query) == list(rows)


async def _true(yes: bool) -> bool:
    return yes
