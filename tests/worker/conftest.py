"""The worker's context on a database of its own, and services on this machine that take notices: HTTP and SMTP."""

from __future__ import annotations

import asyncio
import json
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import apprise
import psycopg
import pytest
from aiosmtpd.controller import Controller

from runtime.settings import Settings
from storage.connect import connect_async
from tests.servers import free_port
from tests.storage.world import COUNTER, GAUGE, LAMP, World
from worker import context
from worker.context import Context

with warnings.catch_warnings():
    # Apprise loads all its plugins at the first URL, and one of them an old module of Python's own.
    warnings.filterwarnings("ignore", "'imghdr' is deprecated", DeprecationWarning)
    apprise.Apprise.instantiate("json://127.0.0.1")


class Service:
    """An HTTP service that keeps what is posted to it and answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.taken: list[dict[str, Any]] = []
        self.arrived, self.answering = threading.Event(), threading.Event()
        self.answering.set()
        service = self

        class Posts(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.taken.append(posted)
                service.arrived.set()
                service.answering.wait(60)
                try:
                    self.send_response(service.status)
                    self.end_headers()
                except ConnectionError:
                    pass  # who posted was killed meanwhile

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Posts)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def url(self, path: str = "") -> str:
        """Its Apprise URL."""
        return f"json://127.0.0.1:{self.server.server_address[1]}/{path}"

    def close(self) -> None:
        self.answering.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Mailbox:
    """An SMTP server that keeps what is sent to it, or refuses it with a line of its own."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.refuses: str | None = None
        self.server = Controller(self, "127.0.0.1", free_port())
        self.server.start()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuses:
            return self.refuses
        self.taken.append(envelope.content)
        return "250 OK"

    @property
    def url(self) -> str:
        """Its Apprise URL."""
        return f"mailto://127.0.0.1:{self.server.port}/?from=siaga@siaga.test&to=rudi@siaga.test&mode=insecure"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    yield made
    made.server.stop()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    made = await World.make(database_url, LAMP, GAUGE, COUNTER)
    yield made
    await made.ground.close()


@pytest.fixture
async def worker(database_url: str) -> AsyncIterator[Callable[..., Any]]:
    """`await worker(notify_urls=…)` opens the context of one worker."""
    async with AsyncExitStack() as opened:

        async def make(**settings: Any) -> Context:
            here = context.make(Settings(database_url=database_url, **settings), asyncio.Event())
            await here.pool.open()
            opened.push_async_callback(here.pool.close)
            await here.outbox.open_async(here.pool)
            return here

        yield make


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A second connection, for who comes in between."""
    async with await connect_async(database_url, "other") as conn:
        yield conn
