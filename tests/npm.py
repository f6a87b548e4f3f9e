"""What tests use from npm: fetched once into a git-ignored folder, at the versions and hashes of its lock file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from api.vendor import NPM_CI, find_npm

FETCH_S = 300


def is_current(folder: Path) -> bool:
    """Whether what is there came from this lock file."""
    installed, wanted = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= wanted.stat().st_mtime


def install(folder: Path, without: str) -> int:
    """0 once it is there, or where there is no npm to fetch it with: what needs it says so itself."""
    if is_current(folder):
        return 0
    npm = find_npm()
    if npm is None:
        print(f"npm is missing: {without}", file=sys.stderr)
        return 0
    # npm finds node by PATH, also the one it came with.
    path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])
    subprocess.run([*npm, *NPM_CI], check=True, cwd=folder, env=os.environ | {"PATH": path}, timeout=FETCH_S)
    return 0


def find_node() -> str | None:
    """node of the system, else the one that npm came with."""
    found = shutil.which("node")
    if found:
        return found
    npm = find_npm()
    return npm[0] if npm and npm[0].endswith("node") else None
