"""What tests of deploy/ share: its files, read, and the programs that read them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from runtime.settings import Settings, describe
from tests.servers import missing
from tests.stack import ROOT

DEPLOY = ROOT / "deploy"
SETTINGS = {each.env for each in describe(Settings())}
# Read by the broker's configuration, and no settings.
OF_BROKER = "SIAGA_BROKER_"


def tool(name: str, cure: str) -> str:
    """A program, beside this Python or on the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        missing(name, cure)
    return found or ""


def said(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a command prints, both streams; it has to end well."""
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def read(path: str) -> str:
    return (DEPLOY / path).read_text(encoding="utf-8")


def documents(text: str) -> list[Any]:
    return [each for each in yaml.safe_load_all(text) if each]
