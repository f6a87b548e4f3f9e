"""Logs: one event a line with its fields and the part that wrote it, ours and those of libraries."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from runtime.log import get_logger, setup


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_an_event_is_one_line_with_fields_and_part(capsys: pytest.CaptureFixture[str]) -> None:
    setup("ingest")
    get_logger("x").info("batch.committed", rows=5000, live=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert "part=ingest event=batch.committed" in line
    assert "rows=5000" in line
    assert "live=true" in line
    assert "level=info" in line
    assert line.startswith("timestamp=20")


@pytest.mark.parametrize(("level", "shown"), [("DEBUG", True), ("INFO", False), ("ERROR", False)])
def test_the_level_is_kept(capsys: pytest.CaptureFixture[str], level: str, shown: bool) -> None:
    setup("ingest", level)
    get_logger("x").debug("detail.told")
    assert ("detail.told" in capsys.readouterr().err) is shown


def test_a_line_feed_in_a_field_stays_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    setup("ingest")
    get_logger("x").warning("packet.refused", topic="a\nlevel=info event=forged")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_libraries_are_heard_from_warnings_up(capsys: pytest.CaptureFixture[str]) -> None:
    setup("api")
    logging.getLogger("library").warning("pool exhausted")
    logging.getLogger("library").info("chatter")
    (line,) = capsys.readouterr().err.splitlines()
    assert "part=api" in line
    assert "pool exhausted" in line
    assert "level=warning" in line


def test_nothing_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    setup("api")
    get_logger("x").error("sky.fell")
    assert capsys.readouterr().out == ""
