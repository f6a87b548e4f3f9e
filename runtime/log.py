"""Logs: one event a line, in the past tense, with fields (`batch.committed rows=5000 ms=38`)."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO, cast

import structlog


class _Stderr:
    """Standard error as it is when something is written: loggers are kept for good, a stream may be closed."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


STDERR = cast("TextIO", _Stderr())


def rename(part: str) -> None:
    """What lines from now on name as their part, where a process learns it from its settings."""
    structlog.contextvars.bind_contextvars(part=part)


def setup(part: str, level: str = "INFO") -> None:
    """Send our events and those of libraries to standard error, each line naming the part."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "part", "event"], bool_as_flag=False)
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(STDERR),
        cache_logger_on_first_use=True,
    )
    rename(part)

    handler = logging.StreamHandler(STDERR)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    return structlog.get_logger(name)  # type: ignore[no-any-return]
