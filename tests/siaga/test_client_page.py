"""docs/client.md: its blocks do what it says, and it names every method."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from siaga.client import Client
from tests.api.conftest import KEYS
from tests.siaga.test_client import NOW, Served
from tests.siaga.test_client import ingest as ingest  # fixtures
from tests.siaga.test_client import served as served
from tests.stack import ROOT

NAMES = {"Client": Client, "datetime": datetime, "UTC": UTC}
PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


class ToldError(Exception):
    """What a block printed."""


@pytest.fixture
def alert(served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """An environment for the blocks, and something for them to find."""
    monkeypatch.setenv("SIAGA_API_URL", served.url)
    monkeypatch.setenv("SIAGA_API_KEY", KEYS["engineer"])
    monkeypatch.chdir(tmp_path)
    served.town.gauge("wl-1", attributes={"river": "Silau", "siaga_3_m": 2.0})
    served.town.latest("wl-1", "water_level", NOW, level_m=2.5)
    served.town.reading("wl-1", "water_level", NOW, level_m=2.5)
    return served.town.alert("wl-1", "siaga", severity=2, kind="water_level", metric="level_m")


def test_the_first_lines_do_something(served: Served, alert: int, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(BLOCKS[0], names)
    assert re.fullmatch(r"wl-1 \S+ \S+ 2\.5 3\n", capsys.readouterr().out)
    assert names["levels"] == [2.5]
    with served.client() as client:
        assert client.alert(alert).comment == "petugas berangkat"


def test_readings_are_sent(alert: int, ingest: None, capsys: pytest.CaptureFixture[str]) -> None:
    exec(BLOCKS[1], dict(NAMES))
    assert capsys.readouterr().out == "1 []\n"


def test_a_file_is_written(alert: int, tmp_path: Path) -> None:
    exec(BLOCKS[2], dict(NAMES))
    written = (tmp_path / "levels.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(written) == 2
    assert ";2,5;" in written[1]


def test_live_events_are_printed(served: Served, alert: int) -> None:
    """The block has no end: what it prints first is one."""
    heard = threading.Event()

    def go_on() -> None:
        while not heard.wait(0.05):
            served.town.transition(alert)

    def told(*words: object) -> None:
        raise ToldError(*words)

    writing = threading.Thread(target=go_on)
    writing.start()
    try:
        with pytest.raises(ToldError) as first:
            exec(BLOCKS[3], {**NAMES, "print": told})
    finally:
        heard.set()
        writing.join()
    assert first.value.args[1:] == ("raised", "Buntu Pane: siaga")


def test_every_method_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert {name for name in dir(Client) if not name.startswith("_")} - named == {"close", "from_settings"}
