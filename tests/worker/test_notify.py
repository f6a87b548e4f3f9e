"""Sending: once per person and channel, again after a crash, given up in the end; never a secret in a log or a row."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any

import pytest
from procrastinate.jobs import Job

from alerts.notice_plan import Channel, Plan, simple
from runtime.settings import SettingError
from storage import notices
from storage.outbox import app, defer_delivery
from tests.storage.waiting import until
from tests.storage.world import NOW, World, minutes, packet, transition
from tests.worker.conftest import Mailbox, Service
from tests.worker.planned import working
from worker import notify
from worker.channels import address, without_secrets, wrong
from worker.context import Context
from worker.dispatch import dispatch_at
from worker.notify import TRIES_MAX, BackOff, NotSentError, send

Make = Callable[..., Any]

DELIVERY = "SELECT channel, tries, sent_at IS NOT NULL, gave_up, error FROM delivery ORDER BY channel"
JOBS = "SELECT status::text, attempts FROM procrastinate_jobs ORDER BY id"


async def raised(world: World, here: Context) -> list[int]:
    """A gauge goes to Siaga 2; the messages, whose jobs wait."""
    await world.move(transition("raised", 2))
    await dispatch_at(here, NOW)
    return [number for (number,) in await world.rows("SELECT id FROM delivery ORDER BY channel")]


async def test_every_channel_is_told_once(world: World, worker: Make, service: Service) -> None:
    here = await worker(notify_urls=f"{service.url('a')} {service.url('b')}", api_url="http://siaga.test")
    before = NOW - minutes(50)
    await world.send([packet("gauge", {"ts": before, "level_m": 2.1}, at=before)])
    await world.conn.execute("UPDATE device SET name = 'Buntu Pane' WHERE id = 'gauge'")
    numbers = await raised(world, here)
    async with working(here):
        await until(lambda: _has(world, JOBS, ("succeeded", 1), ("succeeded", 1)))
    assert await world.rows(DELIVERY) == [("1 json", 1, True, False, None), ("2 json", 1, True, False, None)]
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
    for number in numbers:
        await send(here, number, 0)
    assert len(service.taken) == 2


async def test_by_mail(world: World, worker: Make, mailbox: Mailbox) -> None:
    here = await worker(notify_urls=mailbox.url)
    (number,) = await raised(world, here)
    await send(here, number, 0)
    (letter,) = mailbox.taken
    mail: Any = message_from_bytes(letter, policy=policy.default)
    assert mail["Subject"] == "gauge naik ke Siaga 2"
    assert "Siaga 2 (Siaga)" in mail.get_body(("plain",)).get_content()
    mailbox.refuses = "452 try later"
    await world.move(transition("worsened", 3, was=2))
    await dispatch_at(here, NOW)
    with pytest.raises(NotSentError):
        await send(here, number + 1, 0)
    mailbox.refuses = None
    await send(here, number + 1, 1)
    assert len(mailbox.taken) == 2


async def test_without_channels_there_is_nothing_to_send(
    world: World, worker: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    here = await worker()
    notify.register(here)
    assert await raised(world, here) == []
    assert await world.one("SELECT count(*) FROM notice_outbox") == 0
    assert "notices.nowhere" in "".join(capsys.readouterr())


async def test_a_crash_between_sending_and_marking_sends_again(world: World, worker: Make, service: Service) -> None:
    here = await worker(notify_urls=service.url())
    (number,) = await raised(world, here)
    async with world.conn.transaction():
        await world.conn.execute("LOCK TABLE delivery IN EXCLUSIVE MODE")  # it can be sent but not marked
        crashing = asyncio.create_task(send(here, number, 0))
        await until(lambda: _true(bool(service.taken)))
        crashing.cancel()
        await asyncio.gather(crashing, return_exceptions=True)
    assert await world.rows(DELIVERY) == [("1 json", 0, False, False, None)]
    await send(here, number, 0)
    assert len(service.taken) == 2
    assert await world.rows(DELIVERY) == [("1 json", 1, True, False, None)]


async def test_what_may_pass_is_tried_again(world: World, worker: Make, service: Service) -> None:
    here = await worker(notify_urls=service.url())
    (number,) = await raised(world, here)
    service.status = 503
    for tries in range(2):
        with pytest.raises(NotSentError, match="1 json"):
            await send(here, number, tries)
    ((_, tries, sent, gave_up, error),) = await world.rows(DELIVERY)
    assert (tries, sent, gave_up) == (2, False, False)
    assert "503" in error
    assert await world.one("SELECT next_try_at > now() FROM delivery")
    service.status = 200
    await send(here, number, 2)
    assert await world.rows(DELIVERY) == [("1 json", 3, True, False, None)]


async def test_what_is_refused_for_good_is_a_dead_letter_until_somebody_wants_it_sent(
    world: World, worker: Make, service: Service
) -> None:
    here = await worker(notify_urls=service.url())
    service.status = 404
    (number,) = await raised(world, here)
    for _ in range(2):
        await send(here, number, 0)
    ((_, tries, sent, gave_up, error),) = await world.rows(DELIVERY)
    assert (tries, sent, gave_up) == (1, False, True)
    assert "404" in error
    service.status = 200
    assert await notices.retry(world.conn, number)
    assert not await notices.retry(world.conn, number)
    await defer_delivery(app(""), world.conn, number)
    async with working(here):
        await until(lambda: _has(world, DELIVERY, ("1 json", 2, True, False, None)))
    assert len(service.taken) == 2


async def test_the_last_try_gives_up_and_keeps_the_error(world: World, worker: Make, service: Service) -> None:
    here = await worker(notify_urls=service.url())
    service.status = 500
    (number,) = await raised(world, here)
    await send(here, number, TRIES_MAX - 1)
    ((_, _, sent, gave_up, error),) = await world.rows(DELIVERY)
    assert (sent, gave_up) == (False, True)
    assert "500" in error


async def test_a_failed_job_waits_for_its_next_turn(world: World, worker: Make, service: Service) -> None:
    here = await worker(notify_urls=service.url())
    service.status = 503
    await raised(world, here)
    async with working(here):
        await until(lambda: _has(world, JOBS, ("todo", 1)))
    assert await world.one("SELECT scheduled_at > now() - interval '1 minute' FROM procrastinate_jobs")


def test_pauses_grow_and_end_after_hours() -> None:
    job = Job(id=1, queue="notices", lock=None, queueing_lock=None, task_name="deliver")
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
    url = service.url("token-of-a-bot").replace("json://", "json://operator:geheim123@")
    here = await worker(notify_urls=f"{url} unheard-of://very-secret a-bare-secret")
    service.close()  # nobody answers
    numbers = await raised(world, here)
    libraries = io.StringIO()
    handler = logging.StreamHandler(libraries)
    logging.getLogger().addHandler(handler)
    try:
        notify.register(here)
        with pytest.raises(NotSentError):
            await send(here, numbers[0], 0)
        for number in numbers[1:]:
            await send(here, number, 0)
    finally:
        logging.getLogger().removeHandler(handler)
    written = f"{await world.rows(DELIVERY)} {''.join(capsys.readouterr())} {libraries.getvalue()} {here.notices.plan}"
    assert "1 json" in written
    assert "channel.refused" in written
    for secret in ("geheim123", "token-of-a-bot", "very-secret", "bare-secret"):
        assert secret not in written


def test_pieces_of_the_url_are_taken_out_of_errors() -> None:
    url = "tgram://123456:ABC-def_ghi/-100200300?tz=yes"
    assert without_secrets("POST /bot123456:ABC-def_ghi/sendMessage tz", url) == "POST /bot***:***/sendMessage tz"


def test_an_address_is_read_when_it_is_used(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(channels=(Channel(name="env", url_env="BPBD_URL"), Channel(name="file", url_file=str(tmp_path / "u"))))
    assert wrong(plan) == [
        "channel env: url_env: BPBD_URL is not set",
        f"channel file: url_file: {tmp_path / 'u'}: No such file or directory",
    ]  # fmt: skip
    monkeypatch.setenv("BPBD_URL", "json://127.0.0.1:1/x")
    (tmp_path / "u").write_text("json://127.0.0.1:1/y\n")
    assert [address(plan, name).url[-1] for name in ("env", "file")] == ["x", "y"]  # type: ignore[union-attr]
    assert wrong(plan) == []
    assert "not in the plan any more" in address(plan, "gone").error  # type: ignore[union-attr]
    assert wrong(simple("unheard-of://x", 2)) == ["channel 1 unheard-of: url: Apprise does not know such a URL"]


async def test_a_wrong_plan_keeps_the_worker_from_starting(worker: Make, tmp_path: Any) -> None:
    (tmp_path / "plan.toml").write_text("[[route]]\nname = 'x'\n")
    with pytest.raises(SettingError, match=r"SIAGA_NOTICE_PLAN: .*route 'x': steps: Field required"):
        await worker(notice_plan=str(tmp_path / "plan.toml"))


async def test_a_message_that_is_gone_is_nothing_to_send(world: World, worker: Make, service: Service) -> None:
    await send(await worker(notify_urls=service.url()), 4711, 0)
    assert service.taken == []


async def _has(world: World, query: str, *rows: tuple[Any, ...]) -> bool:
    return await world.rows(query) == list(rows)


async def _true(yes: bool) -> bool:
    return yes
