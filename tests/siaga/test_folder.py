"""The data folder: one holder, secrets kept and hidden, files that are whole or not there."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga.stack import folder as folders
from siaga.stack.folder import Folder, FolderError, Kept, claim, environment, read_kept, write_json, write_kept

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    held = claim(tmp_path / "data")
    yield held
    held.lock.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_for_its_owner_only(folder: Folder) -> None:
    for path in (folder.root, folder.database, folder.broker, folder.log("api").parent):
        assert mode(path) == 0o700


def test_a_second_holder_is_refused_and_told_who_has_it(folder: Folder) -> None:
    """Locks of one process do not keep itself out, so the second one is another process."""
    code = f"""
from pathlib import Path
from siaga.stack.folder import FolderError, claim
try:
    claim(Path({str(folder.root)!r}))
except FolderError as error:
    print(error)
"""
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60).stdout
    assert f"process {os.getpid()}" in said
    assert "--data" in said
    # Having been refused it has changed nothing.
    assert (folder.root / "lock").read_text() == f"{os.getpid()}\n"
    folder.lock.close()
    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=60).stdout == ""


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=r"cannot write to .*--data"):
        claim(tmp_path / "file")
    with pytest.raises(FolderError, match=r"cannot write to .*--data"):
        claim(tmp_path / "file" / "below")


def test_secrets_are_made_once(folder: Folder) -> None:
    kept = read_kept(folder)
    assert kept != read_kept(folder)  # not written yet: made anew
    write_kept(folder, kept)
    assert read_kept(folder) == kept
    assert mode(folder.kept) == 0o600
    texts = [kept.admin_key, kept.database_password, kept.mqtt_password]
    assert len(set(texts)) == 3
    assert all(len(text) >= 43 for text in texts)
    write_kept(folder, Kept("a", "b", "c", 1, 2, 3))
    assert read_kept(folder) == Kept("a", "b", "c", 1, 2, 3)


def test_a_folder_of_an_older_version_keeps_its_secrets(folder: Folder) -> None:
    """Ports that it did not know are settled at the next start."""
    write_json(folder.kept, {"admin_key": "a", "database_password": "b", "mqtt_password": "c", "api_port": 1})
    assert read_kept(folder) == Kept("a", "b", "c", 1)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"admin_key": "x"}', "null", '"text"', "\x00", b"\xff\xfe", "7"]
)
def test_secrets_that_cannot_be_read(folder: Folder, content: str | bytes) -> None:
    folder.kept.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FolderError, match=r"secrets.json cannot be read .* backup.* --data"):
        read_kept(folder)


def test_secrets_of_a_wrong_type(folder: Folder) -> None:
    write_kept(folder, Kept("a", "b", 5))  # type: ignore[arg-type]
    with pytest.raises(FolderError, match=r"secrets.json cannot be read"):
        read_kept(folder)


def test_secrets_that_are_a_folder(folder: Folder) -> None:
    folder.kept.mkdir()
    with pytest.raises(FolderError, match=r"secrets.json cannot be read"):
        read_kept(folder)


def test_a_database_without_its_password(folder: Folder) -> None:
    (folder.database / "18").mkdir()
    with pytest.raises(FolderError, match="password of the database"):
        read_kept(folder)


def test_json_is_written_whole_and_hidden(folder: Folder) -> None:
    before = os.umask(0)
    try:
        write_json(folder.stack, {"api_url": "http://127.0.0.1:1"})
    finally:
        os.umask(before)
    assert mode(folder.stack) == 0o600
    assert json.loads(folder.stack.read_text()) == {"api_url": "http://127.0.0.1:1"}


def test_a_write_cut_short_leaves_what_was_there(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(folder.stack, {"number": 1})

    def full(*arguments: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(folders.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_json(folder.stack, {"number": 2, "text": "x" * 100_000})
    monkeypatch.undo()
    assert json.loads(folder.stack.read_text()) == {"number": 1}
    write_json(folder.stack, {"number": 3})
    assert json.loads(folder.stack.read_text()) == {"number": 3}
    assert {path.name for path in folder.root.iterdir() if path.is_file()} == {"lock", "stack.json"}


def test_the_environment_of_a_running_stack_is_what_stack_json_says(tmp_path: Path) -> None:
    content = {"database_url": "postgresql://d", "mqtt_url": "mqtt://b", "api_url": "http://a", "admin_key": "k"}
    write_json(tmp_path / "stack.json", content)
    assert set(environment(tmp_path).values()) == set(content.values())


def test_without_a_running_stack_the_error_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=re.escape(str(tmp_path))):
        environment(tmp_path)
