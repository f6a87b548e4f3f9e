"""A small run of `python -m bench ingest`: ours and the reference take in everything."""

from __future__ import annotations

import json

import pytest

from bench import measure
from bench.__main__ import main
from tests.whole import only_whole


@only_whole
@pytest.mark.slow
def test_all_store_everything(monkeypatch: pytest.MonkeyPatch, tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    words = "ingest --brokers nats --only b,e --batch 1,50 --readings 2000 --devices 100 --rounds 1"
    monkeypatch.setattr("sys.argv", ["bench", *words.split()])
    assert main() == 0
    assert "e/b" in capsys.readouterr().out
    (written,) = tmp_path.glob("ingest-*.json")
    results = json.loads(written.read_text())
    assert [result["each"] for result in results] == [1, 50]
    for result in results:
        assert {"b", "e"} == result["competitors"].keys()
        assert all(one["missing"] == 0 for one in result["competitors"].values())
