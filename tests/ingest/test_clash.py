"""A second `siaga ingest` that would take what the first takes: refused, with a sentence that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.connect import connect_async
from storage.ingest_session import take

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("client_id", "regions", "says"),
    [
        ("siaga-ingest", "12.09", "SIAGA_INGEST_CLIENT_ID: an ingest process siaga-ingest runs"),
        ("another", "12.09,12.10", "SIAGA_INGEST_REGIONS: siaga/v1/12.10/+/readings is also served by"),
        ("another", "+", "Give each process regions of its own"),
    ],
)
async def test_it_is_refused(database_url: str, client_id: str, regions: str, says: str) -> None:
    async with await connect_async(database_url, "test") as first:
        await take(first, "siaga-ingest", ["siaga/v1/12.10/+/readings"])
        env = {
            **os.environ, "SIAGA_DATABASE_URL": database_url, "SIAGA_MQTT_URL": "mqtt://127.0.0.1:1",
            "SIAGA_INGEST_CLIENT_ID": client_id, "SIAGA_INGEST_REGIONS": regions,
        }  # fmt: skip
        second = subprocess.run(  # noqa: ASYNC221  # nothing else has to go on meanwhile
            [sys.executable, "-m", "siaga", "ingest"],
            capture_output=True, text=True, check=False, cwd=ROOT, env=env, timeout=60,
        )  # fmt: skip
    assert second.returncode != 0
    assert says in second.stderr
    assert "Traceback" not in second.stderr
