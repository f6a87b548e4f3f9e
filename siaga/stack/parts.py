"""Our own parts as `siaga up` runs them: the `siaga <part>` commands that production runs, told by environment."""

from __future__ import annotations

import http.client
import os
import site
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from siaga.stack.board import Board
from siaga.stack.part import Part
from siaga.stack.processes import MARK

CHECK_S = 1.0
# The simulator has no door to knock at: it counts as working once it has not given up for this long.
SETTLED_S = 1.0
NO_HISTORY = "0"


def base_environment(root: Path) -> dict[str, str]:
    """What every process of the stack inherits: our own environment and the mark by which it is found again."""
    env = {**os.environ, MARK: str(root), "PYTHONUNBUFFERED": "1"}
    checkout = str(Path(__file__).parents[2])
    # Run from a checkout that is not installed. An installed one must not get site-packages before Python's own.
    if checkout not in (sysconfig.get_path("purelib"), *site.getsitepackages()):
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [checkout, os.environ.get("PYTHONPATH")]))
    return env


def command(*arguments: str) -> tuple[str, ...]:
    # -P: what lies in the current folder is not ours to import.
    return (sys.executable, "-P", "-m", "siaga", *arguments)


def reporting(name: str, env: Mapping[str, str], board: Board, metrics_url: str) -> Part:
    """ingest and worker: they say themselves how they are."""

    def ready() -> str | None:
        return f"ready, metrics on {metrics_url}" if board.state(name) == "up" else None

    return Part(name=name, stage=1, command=command(name), env=env, ready=ready, reports=True)


def api(env: Mapping[str, str], url: str) -> Part:
    def ready() -> str | None:
        return url if answers(url) else None

    return Part(name="api", stage=1, command=command("api"), env=env, ready=ready, reports=True)


def simulator(env: Mapping[str, str], devices: int, seed: int, history: str) -> Part:
    """In the last stage: a broker forgets what is published before ingest has subscribed."""
    arguments = ["--devices", str(devices), "--seed", str(seed)]
    if history != NO_HISTORY:
        arguments += ["--backfill", history]
    return Part(
        name="simulator",
        stage=2,
        command=command("simulate", *arguments),
        env=env,
        ready=lambda: f"{devices} devices, seed {seed}",
        settle_s=SETTLED_S,
        stop_s=5,
    )


def answers(url: str) -> bool:
    """Whether GET /healthz gives 200."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=CHECK_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
