"""`siaga up` as a test sees it: a process, its data folder, and what stack.json says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg

from siaga.client import Client
from siaga.stack import processes
from siaga.stack.folder import environment

ROOT = Path(__file__).resolve().parents[1]
START_S, STOP_S = 120.0, 60.0
Found = TypeVar("Found")


def until(found: Callable[[], Found], what: str, within_s: float = 60.0, poll_s: float = 0.1) -> Found:
    """Ask again and again until the answer is truthy. A deadline for what is broken, not a measure of speed."""
    deadline = time.monotonic() + within_s
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}; the last answer was {answer!r}")
        time.sleep(poll_s)


class Stack:
    """One `siaga up`. Ports are free ones and kept in the folder, so it can be started again."""

    def __init__(
        self, data: Path, *arguments: str, root: Path = ROOT, settings: Mapping[str, str] | None = None
    ) -> None:
        self.data, self.root, self.settings = data, root, dict(settings or {})
        self.arguments = ("up", "--data", str(data), "--api-port", "0", "--mqtt-port", "0", *arguments)
        self.output = data.with_name(f"{data.name}.out")
        self._began = 0  # where in the output the present run begins
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # What the environment of the run sets is not for this stack.
        env = {name: value for name, value in os.environ.items() if not name.startswith("SIAGA_")} | self.settings
        env["PYTHONPATH"] = str(self.root)  # a checkout other than the one that is installed
        self._began = self.output.stat().st_size if self.output.exists() else 0
        with self.output.open("ab") as out:
            command = [sys.executable, "-P", "-m", "siaga", *self.arguments]
            self.process = subprocess.Popen(command, cwd=self.root, env=env, stdout=out, stderr=out)
        until(self._is_up, f"siaga up is ready:\n{self.said}", START_S)

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_S)

    @property
    def said(self) -> str:
        """What the present run has printed."""
        return self.output.read_bytes()[self._began :].decode(errors="replace") if self.output.exists() else ""

    @property
    def left(self) -> list[int]:
        """Processes that belong to this stack, of whatever run."""
        return processes.leftovers(self.data)

    @property
    def content(self) -> dict[str, Any]:
        """stack.json, as it is now."""
        content: dict[str, Any] = json.loads((self.data / "stack.json").read_text())
        return content

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `siaga` command against this stack, to its end."""
        command = [sys.executable, "-P", "-m", "siaga", *arguments]
        env = {**os.environ, **self.env, "PYTHONPATH": str(self.root)}
        return subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, check=True, timeout=300)

    @property
    def env(self) -> dict[str, str]:
        """With it our own commands find this stack."""
        return environment(self.data)

    def pid(self, part: str) -> int:
        return int(self.content["pids"][part])

    def kill(self, part: str) -> int:
        """kill -9 one part; its former pid."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGKILL)
        return pid

    def close(self) -> None:
        """End whatever still runs, for a test that failed half-way."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
            self.process.kill()
            self.process.wait()
        for pid in self.left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def client(self) -> Client:
        """As an admin; what is refused is an error at once, and for the test to ask again."""
        content = self.content
        return Client(content["api_url"], content["admin_key"], timeout_s=30, patience_s=0)

    def get(self, path: str) -> httpx.Response:
        """What needs no key: probes and the page."""
        return httpx.get(self.content["api_url"] + path, timeout=30)

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.content["database_url"], autocommit=True, connect_timeout=10)

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except (httpx.HTTPError, OSError, ValueError):
            return False

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"siaga up ended with {self.process.returncode}:\n{self.said}")
        if not (self.data / "stack.json").exists() or self.content["pid"] != self.process.pid:
            return False  # not there yet, or that of a killed run
        return self.is_ready()
