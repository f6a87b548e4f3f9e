"""A cluster of brokers for the run, and a pair of databases for each test that asks for one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.databases import Pair
from tests.cluster.nodes import Nodes
from tests.servers import memory_folder


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    cluster = Nodes(tmp_path / "nats")
    for name, value in cluster.env.items():
        monkeypatch.setenv(name, value)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    folder = memory_folder() or tmp_path
    made = Pair(folder / "pair")
    try:
        made.start()
        yield made
    finally:
        made.stop()
        if folder != tmp_path:
            shutil.rmtree(folder, ignore_errors=True)
