"""deploy/systemd and the script that installs it, read by their own tools."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers import missing
from tests.stack import ROOT

FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
PROGRAMS = "/opt/siaga/current/bin"
# What `systemd-analyze security` gives a unit that is exposed "a little"; without hardening it gives 9.2.
EXPOSED_MAX = 2.0


def tool(name: str, package: str) -> str:
    program = shutil.which(name)
    if program is None:
        missing(name, f"apt-get install {package}")
    return program or ""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with programs that are there."""
    units = tmp_path / "units"
    shutil.copytree(FOLDER, units)
    for program in ("siaga", "nats-server"):
        (tmp_path / program).symlink_to("/bin/true")
    for unit in units.glob("*.service"):
        unit.write_text(unit.read_text().replace(PROGRAMS, str(tmp_path)))
    return units


def analyze(units: Path, *arguments: str) -> str:
    program = tool("systemd-analyze", "systemd")
    env = {"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{units}:"}
    done = subprocess.run((program, *arguments), env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", [*UNITS, "siaga.target"])
def test_systemd_reads_it_without_a_word(installed: Path, name: str) -> None:
    said = analyze(installed, "verify", "--man=no", name.replace("@.", "@all."))
    assert [line for line in said.splitlines() if "siaga" in line] == []


@pytest.mark.parametrize("name", UNITS)
def test_it_may_do_little(installed: Path, name: str) -> None:
    said = analyze(installed, "security", "--offline=yes", "--no-pager", name.replace("@.", "@all."))
    exposed = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposed is not None
    assert float(exposed[1]) <= EXPOSED_MAX


@pytest.mark.parametrize("name", UNITS)
def test_it_is_part_of_the_whole(name: str) -> None:
    unit = read_unit(FOLDER / name)
    assert unit["Unit"]["PartOf"] == unit["Install"]["WantedBy"] == ["siaga.target"]
    assert unit["Service"]["User"] == ["siaga"]
    assert unit["Service"]["Restart"] == ["on-failure"]


def test_shellcheck_finds_nothing_in_the_script() -> None:
    script = ROOT / "deploy" / "debian" / "install.sh"
    program = tool("shellcheck", "shellcheck")
    done = subprocess.run((program, script), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def read_unit(file: Path) -> dict[str, dict[str, list[str]]]:
    """Sections, and in each the values of a key in their order."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, value = line.split("=", 1)
            section.setdefault(key, []).append(value)
    return found
