"""Processes of the stack: they die with whoever started them, run as who they should, and are found again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siaga.stack import child, processes
from siaga.stack.signals import time_limit

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0
Spawn = Callable[..., int]


def until(true: Callable[[], Any], what: str = "") -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < deadline, f"{what or true} does not come true"
        time.sleep(0.02)
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end(pid: int) -> int:
    """kill -9 and reap one child of ours; its exit code."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return 0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def spawn(tmp_path: Path, log: Path) -> Iterator[Spawn]:
    """Start a shell script as a part is started; it is ended with the test."""
    started: list[int] = []

    def start(script: str, **options: Any) -> int:
        env = {**os.environ, processes.MARK: str(tmp_path)} | options.pop("env", {})
        started.append(processes.spawn(("/bin/sh", "-c", script), env, log, **options))
        return started[-1]

    yield start
    for pid in started:
        end(pid)


def ended(pid: int) -> int:
    """The exit code of a child, once it has ended."""
    return os.waitstatus_to_exitcode(until(lambda: (found := os.waitpid(pid, os.WNOHANG))[0] and found)[1])


def test_output_goes_to_the_log_and_nothing_comes_in(spawn: Spawn, log: Path, tmp_path: Path) -> None:
    log.write_text("before\n")
    pid = spawn("echo out; echo err >&2; cat; pwd; exit 7", folder=tmp_path)
    assert ended(pid) == 7
    assert log.read_text().splitlines() == ["before", "out", "err", str(tmp_path)]


def test_a_new_log_is_for_its_owner_only(spawn: Spawn, log: Path) -> None:
    before = os.umask(0)
    try:
        spawn("true")
    finally:
        os.umask(before)
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_part_has_a_group_of_its_own_and_plain_signals(spawn: Spawn, log: Path) -> None:
    """Ctrl-C on the terminal must reach `siaga up` alone; and what Python ignores a part does not inherit."""
    pid = spawn("sleep 1000")
    assert os.getpgid(pid) == pid != os.getpgrp()
    until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes().startswith((b"/bin/sh", b"sleep")))

    def signals(which: str) -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(which)).split()[1], 16)

    assert signals("SigIgn") & 0x7FFFFFFF == 0  # the first 31; those after are the C library's own
    until(lambda: signals("SigBlk") == 0)  # a shell blocks all of them for the moment in which it forks


def test_a_program_that_cannot_be_started(log: Path, tmp_path: Path) -> None:
    for command, folder in ((("/nowhere/program",), tmp_path), (("/bin/true",), tmp_path / "gone")):
        pid = processes.spawn(command, os.environ, log, folder=folder)
        assert ended(pid) == child.EXIT_NOT_STARTED
    assert "could not start /nowhere/program as self: " in log.read_text()
    assert "could not start /bin/true as self: " in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("identity", ["self", "namespace"])
def test_a_part_dies_with_its_parent(tmp_path: Path, number: signal.Signals, identity: str) -> None:
    if identity == "namespace":
        skip_without_namespaces(tmp_path)
    code = f"""
import os, signal, time
from pathlib import Path
from siaga.stack import processes
script = 'trap "echo asked > {tmp_path}/asked; exit" TERM; touch {tmp_path}/up; while :; do sleep 0.05; done'
print(processes.spawn(("/bin/sh", "-c", script), os.environ, Path("{tmp_path}/log"), signal.{number.name}, "{identity}",
    Path("{tmp_path}")), flush=True)
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        until((tmp_path / "up").exists)
        assert is_alive(pid)
        parent.kill()
    until(lambda: not is_alive(pid), "the part has ended")
    assert (tmp_path / "asked").exists() == (number is signal.SIGTERM)


def test_a_part_whose_parent_died_before_it_began(log: Path, tmp_path: Path) -> None:
    """The kernel only tells of deaths that are still to come."""
    line = processes.through_child(("/bin/sh", "-c", "echo began"), signal.SIGKILL, "self", tmp_path)
    line[line.index(str(os.getpid()))] = "1"  # not who started it
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (child.EXIT_NOT_STARTED, "")


def skip_without_namespaces(folder: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("user namespaces are Linux's")
    line = processes.through_child(("/bin/true",), signal.SIGKILL, "namespace", folder)
    if subprocess.run(line, capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("user namespaces are not allowed here")


def test_in_a_namespace_it_is_nobody_and_owns_our_files(spawn: Spawn, log: Path, tmp_path: Path) -> None:
    skip_without_namespaces(tmp_path)
    assert ended(spawn("id -u; id -g; touch made", identity="namespace", folder=tmp_path)) == 0
    assert log.read_text().split() == ["65534", "65534"]
    assert (tmp_path / "made").stat().st_uid == os.geteuid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_nobody_it_is_nobody_for_real(spawn: Spawn, log: Path) -> None:
    assert ended(spawn("id -u; id -g; id -G", identity="nobody", folder=Path("/"))) == 0
    assert log.read_text().split() == ["65534"] * 3
    pid = spawn("exec sleep 1000", identity="nobody", folder=Path("/"))
    until(lambda: Path(f"/proc/{pid}").stat().st_uid == child.NOBODY)


def test_how_it_ended() -> None:
    assert processes.how_it_ended(0) == "ended with exit code 0"
    assert processes.how_it_ended(3) == "ended with exit code 3"
    assert processes.how_it_ended(-9) == "was killed by SIGKILL"
    assert processes.how_it_ended(-63) == "was killed by signal 63"


def test_signalling_what_is_gone_is_no_error(spawn: Spawn) -> None:
    pid = spawn("true")
    ended(pid)
    processes.send(pid, signal.SIGTERM)
    processes.send(pid, signal.SIGKILL, whole_group=True)


def test_leftovers_are_found_by_their_mark(spawn: Spawn, tmp_path: Path) -> None:
    ours = spawn("setsid sleep 1000 & sleep 1000")
    other = spawn("sleep 1000", env={processes.MARK: f"{tmp_path}-other"})
    found = until(lambda: len(left := processes.leftovers(tmp_path)) >= 3 and left)
    assert ours in found
    assert other not in found
    assert os.getpid() not in found

    def reap_ours() -> None:  # nobody else's children: other tests have some
        with contextlib.suppress(ChildProcessError):
            os.waitpid(ours, os.WNOHANG)

    # Waited for first, then ended: children of children too, in groups of their own.
    assert processes.end_all(lambda: processes.leftovers(tmp_path), 0.1, after_poll=reap_ours)
    assert processes.leftovers(tmp_path) == []
    assert is_alive(other)


def test_ending_waits_for_what_ends_by_itself() -> None:
    looks = iter([[4_000_001], [4_000_001], []])
    assert processes.end_all(lambda: next(looks), 60.0, after_poll=lambda: None)


def test_orphans_are_children_that_we_did_not_start(spawn: Spawn) -> None:
    pid = spawn("sleep 1000")
    assert pid in processes.orphans([])
    assert pid not in processes.orphans([pid])
    end(pid)
    assert pid not in processes.orphans([])


def test_a_postgres_is_told_by_its_program_and_folder(spawn: Spawn, tmp_path: Path) -> None:
    pid = spawn("exec sleep 1000", folder=tmp_path)
    until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep"))
    assert not processes.is_postgres_of(pid, tmp_path)
    assert not processes.is_postgres_of(4_000_001, tmp_path)


def test_a_time_limit_ends_what_hangs_and_is_put_back() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeoutError), time_limit(0.05):
        time.sleep(60)
    with time_limit(60):
        pass
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
