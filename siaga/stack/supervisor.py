"""Keeps the parts running: starts them stage by stage, starts again what dies, stops all in order.

One thread, one loop: sleep until a signal or the next thing due. Promise: after `stop` no process of ours is left.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from siaga.stack import logs, processes
from siaga.stack.board import Board
from siaga.stack.console import say_lines, say_of
from siaga.stack.folder import Folder
from siaga.stack.part import Part
from siaga.stack.signals import Signals
from storage.parts import BEAT_S, State

PAUSE_FIRST_S, PAUSE_MAX_S = 1.0, 30.0
# A part that has been up for this long has earned a quick restart again.
PROVEN_S = 60.0
# At the first start a part may die twice (a port taken in that moment); then something is wrong with it.
START_TRIES = 3
READY_POLL_S = 0.1
STILL_WAITING_S = 10.0
ROTATE_S = 10.0
# What a dead part leaves behind (PostgreSQL's back-ends) ends by itself within a moment, or is ended.
ORPHAN_PATIENCE_S = 5.0
TAIL = 8


class StopAskedError(Exception):
    """Ctrl-C or SIGTERM came while something was being waited for."""


class StartError(Exception):
    """A part does not come up; the message says why."""


@dataclass(slots=True)
class Life:
    """What the supervisor knows of a part right now."""

    part: Part
    pid: int | None = None
    started: float = 0.0
    said: str | None = None  # what it said when it was ready
    log_before: int = 0
    deaths: int = 0
    pause_s: float = PAUSE_FIRST_S
    restart_at: float = 0.0
    detail: str = ""


class Supervisor:
    """Main thread only: the parts live no longer than the thread that started them."""

    def __init__(self, folder: Folder, signals: Signals, board: Board, changed: Callable[[], None]) -> None:
        self._folder, self._signals, self._board = folder, signals, board
        self._changed = changed
        self._lives: dict[str, Life] = {}
        self._once: dict[int, int | None] = {}  # commands that run once: pid -> exit code
        self._starting = False
        self._beat_at = self._rotate_at = 0.0
        processes.become_subreaper()

    @property
    def pids(self) -> dict[str, int]:
        return {name: life.pid for name, life in self._lives.items() if life.pid is not None}

    @property
    def names(self) -> list[str]:
        return list(self._lives)

    # -- starting --------------------------------------------------------------------------------

    def start(self, parts: Sequence[Part]) -> None:
        """Start parts together and wait until each works. Raises StartError, StopAskedError."""
        self._starting = True
        began = time.monotonic()
        tell_at = began + STILL_WAITING_S
        for part in parts:
            life = self._lives[part.name] = Life(part)
            self._spawn(life)
        waiting = [self._lives[part.name] for part in parts]
        while waiting:
            self._turn(READY_POLL_S)
            now = time.monotonic()
            for life in [life for life in waiting if life.said]:
                say_of(life.part.name, life.said or "", now - began)
                waiting.remove(life)
            for life in waiting:
                if life.deaths >= START_TRIES:
                    raise StartError(f"{life.part.name} {life.detail}. Its log: {self._log(life)}")
                if now - began > life.part.start_s:
                    say_lines(logs.tail(self._log(life), TAIL, life.log_before))
                    raise StartError(f"{life.part.name} is not ready after {now - began:.0f} s. Log: {self._log(life)}")
            if now > tell_at:
                tell_at = now + STILL_WAITING_S
                for life in waiting:
                    last = logs.tail(self._log(life), 1, life.log_before)
                    say_of(life.part.name, f"not ready yet, {now - began:.0f} s: {last[0] if last else 'no word'}")
        self._starting = False

    def run_once(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        identity: processes.Identity = "self",
        folder: Path | None = None,
    ) -> list[str]:
        """Run a command to its end, with its own log; the last lines of that. Raises StartError, StopAskedError."""
        log = self._folder.log(name)
        before = logs.size(log)
        pid = processes.spawn(command, env, log, identity=identity, folder=folder)
        self._once[pid] = None
        while self._once[pid] is None:
            self._turn(READY_POLL_S)
        if code := self._once.pop(pid):
            say_lines(logs.tail(log, TAIL, before))
            raise StartError(f"{name} {processes.how_it_ended(code)}. Its log: {log}")
        return logs.tail(log, TAIL, before)

    # -- running ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Keep everything running until asked to stop."""
        try:
            while True:
                self._turn(min(self._due() - time.monotonic(), BEAT_S))
        except StopAskedError:
            return

    def _turn(self, seconds: float) -> None:
        """One turn of the loop."""
        self._signals.wait(seconds)
        if self._signals.stops:
            raise StopAskedError
        self._reap()
        now = time.monotonic()
        for life in self._lives.values():
            if life.pid is None and now >= life.restart_at:
                self._spawn(life)
            elif life.pid is not None and life.said is None and now - life.started >= life.part.settle_s:
                self._ask(life)
        if now >= self._beat_at:
            self._beat_at = now + BEAT_S
            self.beat()
        if now >= self._rotate_at:
            self._rotate_at = now + ROTATE_S
            for life in self._lives.values():
                logs.rotate(self._log(life))

    def _ask(self, life: Life) -> None:
        if said := life.part.ready():
            life.said, life.detail = said, ""
            self.beat()  # /readyz says so from the moment we do
            if not self._starting:
                say_of(life.part.name, f"works again: {said}", time.monotonic() - life.started)

    def beat(self) -> None:
        """Write the rows of the parts that cannot write their own."""
        self._board.write({life.part.name: row for life in self._lives.values() if (row := _row(life))})

    def _due(self) -> float:
        """When the loop has something to do without a signal."""
        moments = [self._beat_at, self._rotate_at]
        moments += [life.restart_at for life in self._lives.values() if life.pid is None]
        if any(life.pid is not None and life.said is None for life in self._lives.values()):
            moments.append(time.monotonic() + READY_POLL_S)
        return min(moments)

    def _reap(self) -> None:
        for pid, code in processes.reap():
            if pid in self._once:
                self._once[pid] = code
            for life in self._lives.values():
                if life.pid == pid:
                    self._bury(life, code)

    def _bury(self, life: Life, code: int) -> None:
        """Note a death, say so, and clear away what the part left behind so that it can start again."""
        now = time.monotonic()
        lived = now - life.started
        life.deaths += 1
        life.pause_s = PAUSE_FIRST_S if lived > PROVEN_S else life.pause_s
        life.pid, life.said, life.restart_at = None, None, now + life.pause_s
        life.detail = processes.how_it_ended(code)
        say_of(life.part.name, f"{life.detail} after {lived:.1f} s; starting it again in {life.pause_s:.0f} s")
        say_lines(logs.tail(self._log(life), TAIL, life.log_before))
        life.pause_s = min(life.pause_s * 2, PAUSE_MAX_S)
        self.beat()
        self._end_orphans(ORPHAN_PATIENCE_S)

    def _spawn(self, life: Life) -> None:
        part = life.part
        if part.before_start:
            part.before_start()
        # Before it starts, so that it never overwrites what the part then says of itself.
        self._board.write({part.name: ("restarting" if life.deaths else "starting", life.detail)})
        life.log_before = logs.size(self._log(life))
        life.started = time.monotonic()
        life.pid = processes.spawn(
            part.command, part.env, self._log(life), part.death_signal, part.identity, part.folder
        )
        self._changed()

    def _log(self, life: Life) -> Path:
        return self._folder.log(life.part.name)

    # -- stopping --------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop the parts in the reverse order of their start, each with its time limit, then whatever is left.
        Being asked to stop once more ends everything at once."""
        asked = self._signals.stops
        for pid in self._once:
            processes.send(pid, signal.SIGKILL, whole_group=True)
        for life in reversed(self._lives.values()):
            if life.part.name == "database":
                self._board.forget(list(self._lives))
            if life.pid is not None:
                self._stop_one(life, patient=self._signals.stops <= asked)
        self._board.forget([] if "database" in self._lives else list(self._lives))
        self._board.close()
        self._end_orphans(0.0)

    def _stop_one(self, life: Life, patient: bool) -> None:
        began = time.monotonic()
        stops = self._signals.stops
        processes.send(cast("int", life.pid), life.part.stop_signal)
        while life.pid is not None:
            waited = time.monotonic() - began
            if not patient or waited > life.part.stop_s or self._signals.stops > stops:
                if patient:
                    say_of(life.part.name, f"did not stop within {waited:.0f} s; killed")
                patient = False
                processes.send(life.pid, signal.SIGKILL, whole_group=True)
            self._signals.wait(READY_POLL_S)
            for pid, _ in processes.reap():
                for other in self._lives.values():
                    if other.pid == pid:
                        other.pid = None
        say_of(life.part.name, "stopped", time.monotonic() - began)

    def _end_orphans(self, patience_s: float) -> None:
        known = {*self.pids.values(), *self._once}
        if not processes.end_all(lambda: processes.orphans(known), patience_s, after_poll=self._reap):
            say_of("siaga", "some processes cannot be ended, not even by kill -9 (a hanging disk?)")


def _row(life: Life) -> tuple[State, str] | None:
    """What the supervisor writes about a part, if it has anything to say."""
    if life.pid is None:
        return "restarting", life.detail
    if life.part.reports:
        return None
    if life.said is None:
        return ("restarting" if life.deaths else "starting"), life.detail
    if life.part.ask_again and life.part.ready() is None:
        return "degraded", "does not answer"
    return "up", life.said
