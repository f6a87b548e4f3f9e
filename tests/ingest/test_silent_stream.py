"""When nothing arrives from anybody, ingest does not tell of each device; and it says when it last committed."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from devices.batch import Packet
from ingest.ground import take_up
from ingest.loop import Loop
from runtime.settings import Settings
from tests.ingest.listening import until
from tests.ingest.test_loop import ByHand, committed

ADD = """
INSERT INTO device (id, kind, region) SELECT 'gauge-' || n, 'water_level', '12.09' FROM generate_series(1, %s) n
"""
# Heard live four hours ago; a gauge is stale after 35 min.
HEARD = """
INSERT INTO latest (device_id, kind, ts, received_at, qc, qc_reason, "values")
SELECT id, kind, now() - interval '4 h', now() - interval '4 h', 1, 0, '{}' FROM device
"""


@pytest.mark.parametrize(("devices", "told"), [(10, 10), (11, 0)])
async def test_a_stream_without_anything_is_one_failure(database_url: str, devices: int, told: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(ADD, (devices,))
        conn.execute(HEARD)
        settings, stop, session = Settings(database_url=database_url, stale_check_s=1), asyncio.Event(), ByHand()  # type: ignore[arg-type]
        session.subscribed_since = datetime.now(UTC) - timedelta(hours=5)
        loop = Loop(settings.model_copy(update={"fleet_reload_s": 0.2}), session, await take_up(settings), stop)  # type: ignore[arg-type]
        task = asyncio.create_task(loop.run())
        payload = json.dumps({"ts": datetime.now(UTC).isoformat(), "level_m": 1}).encode()
        await until(lambda: loop._rounds._stream_silent if told == 0 else alerts(conn))
        assert alerts(conn) == told
        # One is back: the others have their time to speak.
        await committed(session, [Packet("siaga/v1/12.09/gauge-1/readings", payload, datetime.now(UTC))])
        await until(lambda: told > 0 or loop._rounds._stream_back is not None)
        await until(lambda: said(conn) == (loop.counts.committed_at, 600))
        assert alerts(conn) == told
        stop.set()
        session.give([])
        await task


def alerts(conn: psycopg.Connection) -> int:
    row = conn.execute("SELECT count(*) FROM alert WHERE rule = 'stale'").fetchone()
    assert row
    return int(row[0])


def said(conn: psycopg.Connection) -> object:
    return conn.execute("SELECT committed_at, pace_s FROM ingest_session").fetchone()
