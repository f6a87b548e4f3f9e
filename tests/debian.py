"""Debian roots for servers that are not to be had from PyPI, made once and kept in the user's cache.

python -m tests.debian          (as root, with debootstrap installed; about a minute)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SUITE = "trixie"
PACKAGES = ("postgresql-17", "postgresql-17-timescaledb")
CURE = "run `python -m tests.debian` as root, with debootstrap installed"


def root() -> Path:
    """Where the root is, made or not."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "siaga", SUITE)


def make() -> None:
    """Make the root from the mirror this machine takes its own packages from."""
    target = root()
    if target.exists():
        return
    ask = ("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages")
    sites = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.split()
    mirror = next(site for site in sites if "security" not in site)
    new = target.with_name(f"{SUITE}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.parent.mkdir(parents=True, exist_ok=True)
    line = ("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(new), mirror)
    subprocess.run(line, check=True)
    new.rename(target)


if __name__ == "__main__":
    sys.exit(make())
