"""Every text of the dashboard is there in Indonesian and in English, is used, and takes the same values in both."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

DASHBOARD = Path(__file__).resolve().parents[2] / "api" / "dashboard"
WORDS = DASHBOARD / "words"
COMMENT = re.compile(r"/\*.*?\*/|(?m:^\s*//[^\n]*$)", re.DOTALL)
STRING = r'"(?:[^"\\]|\\.)*"'
ENTRY = re.compile(rf"(\w+):\s*\[\s*({STRING}),\s*({STRING}),?\s*\],?")
TABLE = re.compile(r"const (?:COMMON|WORDS) = \{\n(.*?)\n\};", re.DOTALL)
PLACE = re.compile(r"\{(\w+)[|}]")
IMPORT = re.compile(r'from "[./]*words/(\w+)\.js"')
# t("key") and t(cond ? "one" : "other"); keys also travel through tables, so any string counts as a use, but only these
# must be words.
SAID = re.compile(r'\bt\(\s*(?:[^()"]*\?\s*"(\w+)"\s*:\s*)?"(\w+)"')
PREFIX = re.compile(r"\bt\(\s*(?:/\*.*?\*/ \()?`(\w+)\$\{")
Texts = dict[str, tuple[str, str]]


def texts_of(file: Path) -> Texts:
    """The table of one area; nothing may stand in it that is not key: ["…", "…"]."""
    table = TABLE.search(COMMENT.sub("", file.read_text(encoding="utf-8")))
    assert table, f"{file.name} has no table of words"
    assert not ENTRY.sub("", table[1]).strip(), f"{file.name}: {ENTRY.sub('', table[1]).strip()[:200]}"
    keys = [entry[1] for entry in ENTRY.finditer(table[1])]
    assert len(keys) == len(set(keys)), f"{file.name} has a key twice"
    return {entry[1]: (json.loads(entry[2]), json.loads(entry[3])) for entry in ENTRY.finditer(table[1])}


AREAS = {file.stem: texts_of(file) for file in sorted(WORDS.glob("*.js")) if file.stem != "speak"}


def users() -> dict[Path, str]:
    """Scripts that say something, and their text without comments."""
    files = [file for file in DASHBOARD.rglob("*.js") if file.parent.name not in ("vendor", "words")]
    found = {file: COMMENT.sub("", file.read_text(encoding="utf-8")) for file in files}
    assert any(IMPORT.search(text) for text in found.values())
    return found


USERS = users()


def uses(key: str, text: str) -> bool:
    return f'"{key}"' in text or any(key.startswith(prefix) for prefix in PREFIX.findall(text))


@pytest.mark.parametrize("area", AREAS)
def test_every_text_is_there_in_both_languages_with_the_same_values(area: str) -> None:
    for key, (indonesian, english) in AREAS[area].items():
        assert indonesian.strip(), key
        assert english.strip(), key
        assert set(PLACE.findall(indonesian)) == set(PLACE.findall(english)), key


@pytest.mark.parametrize("area", [area for area in AREAS if area != "common"])
def test_an_area_says_nothing_that_all_say(area: str) -> None:
    assert not AREAS[area].keys() & AREAS["common"].keys()


@pytest.mark.parametrize("area", AREAS)
def test_every_text_is_used(area: str) -> None:
    said_by = [text for text in USERS.values() if area == "common" or area in IMPORT.findall(text)]
    assert said_by, "nobody says them"
    unused = [key for key in AREAS[area] if not any(uses(key, text) for text in said_by)]
    assert not unused


def test_every_key_that_is_said_is_a_word() -> None:
    for file, text in USERS.items():
        known = set(AREAS["common"]).union(*(AREAS[area] for area in IMPORT.findall(text) if area in AREAS))
        said = {key for keys in SAID.findall(text) for key in keys if key}
        assert said <= known, f"{file.name}: {sorted(said - known)}"
        for prefix in PREFIX.findall(text):
            assert any(key.startswith(prefix) for key in known), f"{file.name}: {prefix}…"
