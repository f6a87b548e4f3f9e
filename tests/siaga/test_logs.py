"""Logs of the parts: their end is shown, their size is bounded. And what `siaga up` says itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from siaga.stack import console, logs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "api.log"


def test_the_last_lines(log: Path) -> None:
    log.write_text("".join(f"line {i}\n\n" for i in range(100)) + "cut off")
    assert logs.tail(log, 3) == ["line 98", "line 99", "cut off"]
    assert logs.tail(log, 1) == ["cut off"]


def test_only_what_was_written_since(log: Path) -> None:
    log.write_text("of an earlier run\n")
    before = logs.size(log)
    assert logs.tail(log, 8, before) == []
    with log.open("a") as file:
        file.write("now\n")
    assert logs.tail(log, 8, before) == ["now"]
    # Made anew since: all of it is new.
    log.write_text("x\n")
    assert logs.tail(log, 8, before) == ["x"]


def test_long_lines_and_strange_bytes(log: Path) -> None:
    log.write_bytes(b"\xff\xfe bytes\n" + b"y" * 5000 + b"\n")
    assert logs.tail(log, 2)[-1] == "y" * logs.LINE_MAX
    log.write_bytes(b"\xff\xfe bytes\n")
    assert logs.tail(log, 1) == ["\ufffd\ufffd bytes"]


def test_a_log_that_is_not_there(log: Path) -> None:
    assert logs.size(log) == 0
    assert logs.tail(log, 5) == []
    logs.rotate(log)
    assert not log.exists()


def test_a_large_log_is_moved_aside_while_its_writer_goes_on(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_MAX_BYTES", 1000)
    with log.open("a") as writer:
        writer.write("a" * 900)
        writer.flush()
        logs.rotate(log)
        assert logs.size(log) == 900
        writer.write("b" * 200)
        writer.flush()
        logs.rotate(log)
        assert logs.size(log) == 0
        writer.write("on it goes\n")
    assert log.read_text() == "on it goes\n"
    assert log.with_name("api.log.1").read_text() == "a" * 900 + "b" * 200


def test_a_terminal_that_is_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        monkeypatch.setattr(sys, "stderr", gone)
        console.say_of("api", "works", 0.5)
        console.complain("nobody hears this")
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            gone.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), gone.fileno())


def test_one_line_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    console.say_of("api", "http://127.0.0.1:8800", 1.2345)
    console.say_of("simulator", "40 devices")
    console.say_lines(["why"])
    assert capsys.readouterr().out.splitlines() == [
        "api         http://127.0.0.1:8800  (1,234 ms)",
        "simulator   40 devices",
        "            | why",
    ]
