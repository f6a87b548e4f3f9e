"""Processes of the stack: started with their log and their death signal, found again, and ended to the last one.

Promise: what `spawn` starts can be told from everything else on the machine, also by a later `siaga up`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

Identity = Literal["self", "namespace", "nobody"]

CHILD = Path(__file__).with_name("child.py")
# In the environment of every part: the data folder it belongs to.
MARK = "SIAGA_STACK"
PR_SET_CHILD_SUBREAPER = 36
POLL_S = 0.05


def spawn(
    command: Sequence[str],
    env: Mapping[str, str],
    log: Path,
    death_signal: signal.Signals = signal.SIGKILL,
    identity: Identity = "self",
    folder: Path | None = None,
) -> int:
    """Start a process in a group of its own, both outputs going to the log. Call from the main thread: the death
    signal comes when the thread that started the process ends, not when the whole parent does."""
    program = through_child(command, death_signal, identity, folder or Path.cwd())
    return os.posix_spawn(
        program[0],
        program,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setpgroup=0,
        setsigmask=(),
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD],
    )


def through_child(command: Sequence[str], death_signal: signal.Signals, identity: Identity, folder: Path) -> list[str]:
    """The command line that becomes `command` by way of child.py."""
    start = [sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), str(int(death_signal))]
    return [*start, identity, str(folder), *command]


def become_subreaper() -> None:
    """Adopt what our children leave behind: a killed postmaster's back-ends hold its shared memory until they end."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap() -> list[tuple[int, int]]:
    """(pid, exit code) of every child that has ended; the code is minus the signal where one ended it."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status)))


def send(pid: int, number: signal.Signals, whole_group: bool = False) -> None:
    """Signal a process, or its whole group. One that is gone already is no error."""
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if whole_group else os.kill)(pid, number)


def how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def orphans(known: Iterable[int]) -> list[int]:
    """Living children of ours that we did not start: left to us by a part that died. Empty where there is no /proc."""
    ours = set(known)
    return [pid for pid in _pids() if pid not in ours and _parent(pid) == os.getpid()]


def leftovers(root: Path) -> list[int]:
    """Processes of an earlier `siaga up` on this folder that have not ended yet."""
    return [pid for pid in _pids() if pid != os.getpid() and _belongs(pid, root)]


def end_all(find: Callable[[], list[int]], patience_s: float, after_poll: Callable[[], object] = reap) -> bool:
    """Wait until `find` finds nothing; past the patience with SIGKILL. False if even that did not help for 10 s."""
    started = time.monotonic()
    while left := find():
        waited = time.monotonic() - started
        if waited > patience_s + 10:
            return False
        if waited > patience_s:
            for pid in left:
                send(pid, signal.SIGKILL)
        time.sleep(POLL_S)
        after_poll()
    return True


def is_postgres_of(pid: int, data: Path) -> bool:
    """Whether this is a PostgreSQL server process on that data folder (each of them makes it its working one)."""
    try:
        here = Path(f"/proc/{pid}/cwd").readlink() == data
        return here and Path(f"/proc/{pid}/exe").readlink().name.startswith("postgres")
    except OSError:
        return False


def _belongs(pid: int, root: Path) -> bool:
    try:
        marked = f"{MARK}={root}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    if marked:
        return True
    # PostgreSQL's back-ends write their titles over their environment.
    try:
        folder = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return False
    return root in folder.parents and is_postgres_of(pid, folder)


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    except OSError:
        return []


def _parent(pid: int) -> int | None:
    """The parent of a process that is alive; a zombie is as good as gone."""
    try:
        # The name stands in brackets and may hold spaces.
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else int(parent)
