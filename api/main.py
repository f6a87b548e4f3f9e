"""The API process: serve, say every two seconds how it is, stop cleanly with open streams."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import Iterator

import uvicorn
import uvloop

from api.app import create_app
from api.context import Context
from runtime import trace
from runtime.log import get_logger
from runtime.settings import Settings, require
from runtime.stop import stop_event
from storage import parts

log = get_logger(__name__)

PART = "api"
# Requests under way when asked to stop; streams are ended at once and open themselves again elsewhere.
GRACE_S = 5
# New objects until the collector looks for cycles among them: some answers' worth.
GARBAGE_AFTER = 50_000


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: ours must end the streams before it waits for connections to finish."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.begun.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    try:
        listener = _listen(settings.api_host, settings.api_port)
    except OSError as error:
        log.error("api.refused", host=settings.api_host, port=settings.api_port, error=str(error))
        return 1
    end_tracing = trace.setup(PART, settings.otlp_endpoint)
    try:
        with listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, listener))
    finally:
        end_tracing()


async def _serve(settings: Settings, listener: socket.socket) -> int:
    stop = stop_event()
    app = create_app(settings)
    context: Context = app.state.context
    # proxy_headers: uvicorn believes everybody on this machine; api/forwarded.py those whom the settings name.
    server = Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, lifespan="on",
            timeout_graceful_shutdown=GRACE_S, proxy_headers=False,
        )
    )  # fmt: skip
    serving = asyncio.create_task(server.serve([listener]), name="serve")
    url = require(settings.database_url, "SIAGA_DATABASE_URL")
    # The first beat can then say "up", which would else be said by the next one, two seconds later.
    await server.begun.wait()
    beating = asyncio.create_task(
        parts.keep_beating(url, PART, lambda: parts.How("up" if server.started else "starting"), stop), name="beat"
    )
    host, port = listener.getsockname()[:2]
    _spare_the_collector()
    log.info("api.started", host=host, port=port)
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    asked = stop.is_set()
    stop.set()
    context.audiences.close()
    await beating
    server.should_exit = True
    await asyncio.gather(serving, return_exceptions=True)
    log.info("api.stopped")
    return 0 if asked else 1


def _spare_the_collector() -> None:
    """Rows of an answer are many objects and no cycles: with Python's 700 the collector took a fifth of a chart's time.

    What start-up made stays until the end, so it is not looked through again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    # Connections inherit it; asyncio sets it only on listeners of its own. Without it each answer after the first waits
    # 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
