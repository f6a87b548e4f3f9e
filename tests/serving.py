"""The real API on a port of its own, in a thread of the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn

from api.app import create_app
from runtime.settings import Settings
from siaga.stack.ports import LOOPBACK
from tests.stack import until


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Its address."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # else its lines are those of a command
    config = uvicorn.Config(create_app(settings), log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            until(lambda: server.started, "the API serves")
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
            structlog.reset_defaults()
