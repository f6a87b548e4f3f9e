"""What ingest stands on: the database as of the last commit, the alert engine and the fleet that belong to it.

Lost with its connection. Taking it up again reads everything anew: after an error nobody knows whether the last
commit took place, and evaluating from what is really stored gives the right answer either way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from alerts.engine import Engine, restored
from alerts.rule import shipped
from devices.checks_memory import Memory
from devices.fleet import Fleet
from devices.kinds import KINDS
from runtime.log import get_logger
from runtime.settings import Settings, require
from storage import flavour, outbox
from storage.alert_write import read_states
from storage.connect import connect_async
from storage.fleet import changed_since
from storage.resume import heard, try_lock
from storage.write import Writer

log = get_logger(__name__)

PART = "ingest"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class StandbyError(Exception):
    """Another process serves this MQTT session; this one may not."""


@dataclass
class Ground:
    conn: psycopg.AsyncConnection[Any]
    writer: Writer
    engine: Engine
    fleet: Fleet
    fleet_at: datetime  # changed_at of the newest device known
    memory: Memory = field(default_factory=Memory)  # of the checks of quality

    async def look_for_devices(self) -> bool:
        """Take over devices registered or changed since the last look. True when there were any."""
        changed, self.fleet_at = await changed_since(self.conn, self.fleet_at)
        # The newest is always found again.
        news = [device for device in changed if self.fleet.get(device.id) != device]
        if news:
            self.fleet = self.fleet.updated(news)
            self.engine.fit(self.fleet)
            self.memory.fit(self.fleet)
            log.info("devices.changed", changed=len(news), known=len(self.fleet))
        return bool(news)

    async def close(self) -> None:
        await self.conn.close()


async def take_up(settings: Settings) -> Ground:
    """Connect and read where ingest stood. Raises psycopg.Error, or StandbyError where another process stands."""
    url = require(settings.database_url, "SIAGA_DATABASE_URL")
    conn = await connect_async(url, PART)
    try:
        if not await try_lock(conn, settings.ingest_client_id):
            raise StandbyError(f"another process serves the MQTT session {settings.ingest_client_id}")
        ground = Ground(conn, await _writer(conn, settings), Engine(shipped()), Fleet(), BEGINNING)
        await ground.look_for_devices()
        ground.engine.states = restored(ground.engine.rules, await read_states(conn))
        every = await heard(conn)
        for kind in KINDS.values():
            ground.memory.restore(
                kind, ground.fleet, [(one.device_id, one.checks) for one in every if one.kind == kind.name]
            )
        for device_id, ts, live_at, *_ in every:
            number = ground.fleet.number.get(device_id)
            if number is not None:
                ground.engine.newest_us[number] = _microseconds(ts)
                if live_at is not None:
                    ground.engine.heard_us[number] = _microseconds(live_at)
    except BaseException:
        await conn.close()
        raise
    return ground


async def _writer(conn: psycopg.AsyncConnection[Any], settings: Settings) -> Writer:
    there = await (await conn.execute(flavour.TIMESCALE_THERE)).fetchone()
    return Writer(
        conn=conn,
        jobs=outbox.app(make_conninfo("")),
        quarantine_cap=settings.quarantine_device_day,
        notice_severity=settings.notify_min_severity,
        hypertables=bool(there and there[0]),
    )


def _microseconds(at: datetime) -> int:
    return round(at.timestamp() * 1e6)
