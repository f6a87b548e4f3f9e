"""Debian roots for servers that are not to be had from PyPI, made once and kept in the user's cache.

python -m tests.debian [SUITE …]          (as root, with debootstrap installed; about a minute each)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# What each root is for. Versions are those the suite has on the day it is made.
PACKAGES = {
    # docker-compose reads deploy/compose; it needs no Docker for that.
    "trixie": ("postgresql-17", "postgresql-17-timescaledb", "docker-compose"),
    # Mosquitto 2.1, with its plugins.
    "forky": ("mosquitto", "postgresql-18", "postgresql-18-timescaledb"),
}
# debootstrap of an older Debian does not know the names of newer suites; all of them are made as sid is.
SCRIPT = "/usr/share/debootstrap/scripts/sid"
CURE = "run `python -m tests.debian` as root, with debootstrap installed"


def root(suite: str) -> Path:
    """Where the root is, made or not."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "siaga", suite)


def inside(suite: str, user: str, death_signal: str) -> tuple[str, ...]:
    """The beginning of a command line that runs in the root as that user of it, without any mount."""
    # The death signal last: changing the user clears it.
    become = (f"--reuid={user}", f"--regid={user}", "--clear-groups", f"--pdeathsig={death_signal}")
    return (shutil.which("chroot") or "chroot", str(root(suite)), "/usr/bin/setpriv", *become)


def program(suite: str, path: str) -> tuple[str, ...] | None:
    """The beginning of a command line that runs a program of the root where it lies, by the root's own loader and
    libraries; None where it is not there."""
    top = root(suite)
    loader = next(top.glob("lib*/ld-linux-*"), None)
    if loader is None or not (top / path).exists():
        return None
    libraries = ":".join(str(folder) for folder in top.glob("usr/lib/*-linux-gnu"))
    return (str(loader), "--library-path", libraries, str(top / path))


def make(suite: str) -> None:
    """Make the root from the mirror this machine takes its own packages from; anew where it lacks one of them."""
    target = root(suite)
    if all(_has(target, package) for package in PACKAGES[suite]):
        return
    new, old = target.with_name(f"{suite}.new"), target.with_name(f"{suite}.old")
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.parent.mkdir(parents=True, exist_ok=True)
    include = f"--include={','.join(PACKAGES[suite])}"
    subprocess.run(("debootstrap", "--variant=minbase", include, suite, str(new), mirror(), SCRIPT), check=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _has(top: Path, package: str) -> bool:
    """Whether the package was unpacked there; dpkg names the list of its files after it, some with the architecture."""
    info = top / "var/lib/dpkg/info"
    return (info / f"{package}.list").exists() or any(info.glob(f"{package}:*.list"))


def mirror() -> str:
    """Where this machine takes its own packages from."""
    ask = ("apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages")
    sites = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.split()
    return next(site for site in sites if "security" not in site)


def main(suites: Sequence[str]) -> None:
    for suite in suites or PACKAGES:
        make(suite)


if __name__ == "__main__":
    main(sys.argv[1:])
