"""The supervisor with small fake parts: what it starts, starts again, gives up on, and that nothing survives it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from siaga.stack import processes, supervisor
from siaga.stack.supervisor import Life, Supervisor

DRIVER = Path(__file__).with_name("fake_stack.py")
PATIENCE_S = 30.0
QUICK = {"PAUSE_FIRST_S": 0.05, "PAUSE_MAX_S": 0.4, "BEAT_S": 0.1, "ORPHAN_PATIENCE_S": 0.2, "PROVEN_S": 0.0}
# Ready at once, ends when told to.
PLAIN = 'touch "$HERE/$NAME.ready"; echo "$NAME" starts; exec sleep 1000'
STUBBORN = 'trap "" TERM INT; touch "$HERE/$NAME.ready"; while :; do sleep 0.1; done'


def until(true: Callable[[], Any], what: str = "") -> Any:
    """Poll until it holds; what it gave."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < deadline, f"{what or true} does not come true"
        time.sleep(0.02)
    return found


class Stack:
    """A fake stack in a process of its own."""

    def __init__(
        self, root: Path, *stages: list[dict[str, Any]], once: list[str] | None = None, **constants: float
    ) -> None:
        self.root = root
        self._out = (root.parent / "out").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVER), str(root)],
            stdin=subprocess.PIPE, stdout=self._out, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self.process.stdin
        asked = {"stages": stages, "once": once or [], "constants": QUICK | constants}
        with self.process.stdin as pipe:
            json.dump(asked, pipe)

    @property
    def said(self) -> str:
        return Path(self._out.name).read_text()

    @property
    def pids(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads((self.root / "pids.json").read_text())["pids"]
        except FileNotFoundError:
            return {}
        return found

    @property
    def board(self) -> list[tuple[str, str, str]]:
        text = (self.root / "board.jsonl").read_text()
        return [tuple(json.loads(line)) for line in text.splitlines()]

    def running(self) -> Stack:
        def is_running() -> bool:
            assert self.process.poll() is None, self.said
            return "Running\n" in self.said

        until(is_running, f"running: {self.said}")
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        return self.process.wait(PATIENCE_S)

    def survivors(self) -> list[int]:
        return [pid for pid in processes.leftovers(self.root) if pid != self.process.pid]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in processes.leftovers(self.root):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._out.close()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    made: list[Stack] = []

    def start(*stages: list[dict[str, Any]], **options: Any) -> Stack:
        made.append(Stack(tmp_path / "data", *stages, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()


def plain(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "script": PLAIN} | more


def test_it_starts_stage_by_stage(stack: Callable[..., Stack]) -> None:
    late = 'sleep 0.3; touch "$HERE/$NAME.ready"; exec sleep 1000'
    after = 'ls "$HERE" | grep ready > "$HERE/seen"; touch "$HERE/$NAME.ready"; exec sleep 1000'
    running = stack([plain("a"), plain("b", script=late)], [plain("c", script=after)]).running()
    assert (running.root / "seen").read_text().split() == ["a.ready", "b.ready"]
    lines = running.said.splitlines()
    assert [line.split()[:3] for line in lines[:3]] == [["a", "a", "works"], ["b", "b", "works"], ["c", "c", "works"]]
    assert set(running.pids) == {"a", "b", "c"}
    assert running.stop() == 0


def test_what_dies_is_started_again(stack: Callable[..., Stack]) -> None:
    running = stack([plain("a"), plain("b")]).running()
    before = running.pids
    for _ in range(2):
        was = running.pids
        os.kill(was["a"], signal.SIGKILL)
        until(lambda was=was: running.pids.get("a", was["a"]) != was["a"], "started again")
        until(lambda: "a           works again: a works" in running.said, "works again")
    assert running.pids["b"] == before["b"]
    assert "a           was killed by SIGKILL after" in running.said
    assert ("a", "restarting", "was killed by SIGKILL") in running.board
    until(lambda: running.board[-1][1] == "up")
    assert running.stop() == 0


def test_one_that_ends_by_itself_shows_its_last_words(stack: Callable[..., Stack]) -> None:
    script = """[ -e "$HERE/$NAME.ready" ] && exec sleep 1000
touch "$HERE/$NAME.ready"; sleep 0.3; echo out of paper; exit 3"""
    running = stack([plain("a", script=script)]).running()
    until(lambda: "ended with exit code 3" in running.said)
    assert "| out of paper" in running.said
    until(lambda: "works again" in running.said)
    assert running.stop() == 0


def test_it_gives_up_at_the_start_and_says_why(stack: Callable[..., Stack]) -> None:
    failing = {"name": "bad", "script": 'echo "$NAME tries"; echo no such file >&2; exit 2'}
    ended = stack([plain("a"), failing], [plain("never")])
    assert ended.ended() == 1
    assert ended.said.count("| no such file") == supervisor.START_TRIES
    last = [line for line in ended.said.splitlines() if line.startswith("siaga: ")]
    assert last == [f"siaga: bad ended with exit code 2. Its log: {ended.root}/logs/bad.log"]
    assert "never" not in ended.said
    assert "a           stopped" in ended.said
    assert ended.survivors() == []


def test_it_gives_up_on_one_that_never_gets_ready(stack: Callable[..., Stack]) -> None:
    slow = {"name": "slow", "script": "echo still thinking; exec sleep 1000", "start_s": 0.5}
    ended = stack([slow], STILL_WAITING_S=0.1)
    assert ended.ended() == 1
    assert "slow        not ready yet, " in ended.said
    assert "still thinking" in ended.said
    assert "siaga: slow is not ready after" in ended.said
    assert ended.survivors() == []


def test_a_program_that_is_not_there(stack: Callable[..., Stack]) -> None:
    ended = stack([{"name": "none", "script": "exec /nowhere/program"}])
    assert ended.ended() == 1
    assert "/nowhere/program" in ended.said


def test_it_stops_in_reverse_order(stack: Callable[..., Stack]) -> None:
    script = """trap 'sleep 0.1; echo "$NAME" >> "$HERE/order"; exit' TERM
touch "$HERE/$NAME.ready"; while :; do sleep 0.05; done"""
    running = stack([plain("a", script=script), plain("b", script=script)], [plain("c", script=script)]).running()
    assert running.stop() == 0
    assert (running.root / "order").read_text().split() == ["c", "b", "a"]
    stopped = [line.split()[0] for line in running.said.splitlines() if "stopped" in line]
    assert stopped == ["c", "b", "a"]
    assert {name for name, state, _ in running.board if state == "forgotten"} == {"a", "b", "c"}


def test_each_part_is_stopped_by_its_own_signal(stack: Callable[..., Stack]) -> None:
    script = """trap 'echo int > "$HERE/signal"; exit' INT; trap "" TERM
touch "$HERE/$NAME.ready"; while :; do sleep 0.05; done"""
    running = stack([plain("a", script=script, stop_signal="SIGINT")]).running()
    assert running.stop() == 0
    assert (running.root / "signal").read_text() == "int\n"


def test_what_does_not_stop_is_killed(stack: Callable[..., Stack]) -> None:
    running = stack([plain("a")], [plain("b", script=STUBBORN, stop_s=0.3)]).running()
    assert running.stop() == 0
    assert "b           did not stop within" in running.said
    assert "a           stopped" in running.said
    assert running.survivors() == []


def test_asked_twice_it_ends_at_once(stack: Callable[..., Stack]) -> None:
    running = stack([plain("a", script=STUBBORN, stop_s=600)], [plain("b", script=STUBBORN, stop_s=600)]).running()
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert running.process.poll() is None
    assert running.stop(signal.SIGINT) == 0
    assert running.survivors() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_stop(stack: Callable[..., Stack], number: signal.Signals) -> None:
    running = stack([plain("a")]).running()
    assert running.stop(number) == 0
    assert running.survivors() == []


def test_nohup_outlives_its_terminal(stack: Callable[..., Stack]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running = stack([plain("a")])
    finally:
        signal.signal(signal.SIGHUP, before)
    running.running().process.send_signal(signal.SIGHUP)
    os.kill(running.pids["a"], signal.SIGKILL)
    until(lambda: "works again" in running.said)
    assert running.stop() == 0


def test_asked_to_stop_while_starting(stack: Callable[..., Stack]) -> None:
    starting = stack([plain("a"), {"name": "slow", "script": "echo waits; exec sleep 1000"}], [plain("never")])
    until(lambda: "a works" in starting.said)
    assert starting.stop() == 0
    assert "Running" not in starting.said
    assert starting.survivors() == []


def test_nothing_of_a_part_survives(stack: Callable[..., Stack]) -> None:
    """Children in sessions of their own, as PostgreSQL's back-ends are in groups of theirs."""
    script = 'setsid sleep 1000 & touch "$HERE/$NAME.ready"; sleep 1000'
    running = stack([plain("a", script=script)]).running()
    assert len(running.survivors()) >= 3
    assert running.stop() == 0
    assert running.survivors() == []


def test_what_a_dead_part_leaves_behind_is_ended_before_it_starts_again(stack: Callable[..., Stack]) -> None:
    script = """[ -e "$HERE/child" ] && { kill -0 "$(cat "$HERE/child")" 2> /dev/null && touch "$HERE/overlap"; }
setsid sleep 1000 & echo $! > "$HERE/child"; touch "$HERE/$NAME.ready"; sleep 1000"""
    running = stack([plain("a", script=script)]).running()
    child = (running.root / "child").read_text()
    (running.root / "a.ready").unlink()
    os.kill(running.pids["a"], signal.SIGKILL)
    until(lambda: "works again" in running.said)
    assert (running.root / "child").read_text() != child
    assert not (running.root / "overlap").exists()
    assert running.stop() == 0
    assert running.survivors() == []


def test_killed_itself_it_takes_its_parts_along(stack: Callable[..., Stack]) -> None:
    running = stack([plain("a"), plain("b", script=STUBBORN)]).running()
    running.process.kill()
    running.ended()
    until(lambda: running.survivors() == [], "nothing is left")


def test_a_command_that_runs_once(stack: Callable[..., Stack]) -> None:
    running = stack([plain("a")], once=["echo one; echo two", "true"]).running()
    assert running.said.startswith("said: one / two\nsaid: \n")
    assert running.stop() == 0


def test_a_command_that_runs_once_and_fails(stack: Callable[..., Stack]) -> None:
    ended = stack([plain("never")], once=["echo no disk left; exit 5"])
    assert ended.ended() == 1
    assert "| no disk left" in ended.said
    assert "siaga: once ended with exit code 5. Its log: " in ended.said
    assert "never" not in ended.said


def test_asked_to_stop_while_a_command_runs_once(stack: Callable[..., Stack]) -> None:
    running = stack(once=["echo begins; sleep 1000; echo done"])
    until(
        lambda: (
            (running.root / "logs" / "once.log").exists()
            and "begins" in (running.root / "logs" / "once.log").read_text()
        )
    )
    assert running.stop() == 0
    assert running.survivors() == []


def test_a_part_that_does_not_answer_is_degraded(stack: Callable[..., Stack]) -> None:
    running = stack([plain("a", ask_again=True)]).running()
    until(lambda: running.board[-1] == ("a", "up", "a works"))
    (running.root / "a.ready").unlink()
    until(lambda: running.board[-1] == ("a", "degraded", "does not answer"))
    (running.root / "a.ready").touch()
    until(lambda: running.board[-1] == ("a", "up", "a works"))
    assert running.stop() == 0


def test_the_board_leaves_alone_what_parts_say_themselves(stack: Callable[..., Stack]) -> None:
    running = stack([plain("a", reports=True)]).running()
    until((running.root / "board.jsonl").exists)
    os.kill(running.pids["a"], signal.SIGKILL)
    until(lambda: "works again" in running.said)
    assert running.stop() == 0
    assert {state for _, state, _ in running.board} == {"starting", "restarting", "forgotten"}


def test_pauses_double_until_a_part_has_proved_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "become_subreaper", lambda: None)
    monkeypatch.setattr(processes, "orphans", lambda known: [])
    board = SimpleNamespace(write=lambda rows: True)
    folder = SimpleNamespace(log=lambda name: tmp_path / "log")
    part = SimpleNamespace(name="a", reports=False, ask_again=False)
    watched = Supervisor(folder, SimpleNamespace(stops=0), board, lambda: None)  # type: ignore[arg-type]
    life = Life(part)  # type: ignore[arg-type]
    pauses = []
    for lived in (0, 0, 0, 0, 0, 0, 0, supervisor.PROVEN_S + 1, 0):
        now = time.monotonic()
        life.started, life.pid = now - lived, 4_000_000
        watched._bury(life, -9)
        pauses.append(round(life.restart_at - now))
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 1, 2]
    assert "starting it again in 16 s" in capsys.readouterr().out
