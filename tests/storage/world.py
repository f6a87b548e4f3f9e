"""A small fleet in front of the real intake, engine and writer, to send packets through them as ingest does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from alerts.engine import Evaluated, Transition, evaluate
from alerts.rule import Key
from devices.batch import Packet
from devices.checks import check
from devices.device import Device
from devices.topics import readings_topic
from ingest.ground import Ground, take_up
from ingest.intake import Limits, take_in
from runtime.settings import Settings
from storage.connect import connect_async
from storage.fleet import import_devices
from storage.ingest_session import StandbyError
from storage.write import Written

REGION = "12.09"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NOTHING = Evaluated([], {}, [])

LAMP = Device("lamp", "streetlight", region=REGION, lat=2.98, lon=99.6)
GAUGE = Device("gauge", "water_level", region=REGION, attributes={"siaga_3_m": 2.0, "siaga_2_m": 2.5, "siaga_1_m": 3.0})
COUNTER = Device("counter", "traffic", region=REGION)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def packet(device_id: str, *items: Any, at: datetime = NOW, region: str = REGION) -> Packet:
    """One PUBLISH with one item, or with an array of several; a datetime `ts` is written out."""
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("ts"), datetime):
            item["ts"] = item["ts"].isoformat()
    payload = json.dumps(items[0] if len(items) == 1 else items).encode()
    return Packet(readings_topic(region, device_id), payload, at)


class World:
    """What ingest is made of, without the broker."""

    def __init__(self, url: str, ground: Ground, limits: Limits, settings: Settings) -> None:
        self.url, self.ground, self.limits, self.settings = url, ground, limits, settings

    @classmethod
    async def make(cls, url: str, *devices: Device, **settings: Any) -> World:
        if devices:
            async with await connect_async(url, "test") as conn:
                await import_devices(conn, list(devices))
        chosen = Settings(database_url=url, **settings)
        deadline = time.monotonic() + 30
        while True:
            try:
                return cls(url, await take_up(chosen), Limits.of(chosen), chosen)
            except StandbyError:  # the server frees the lock of a world before this one when it gets to it
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    @property
    def conn(self) -> psycopg.AsyncConnection[Any]:
        return self.ground.conn

    async def send(self, packets: Sequence[Packet], now: datetime = NOW) -> Written:
        """Through intake, engine and writer; nothing is remembered unless it was committed."""
        ground = self.ground
        batch = take_in(packets, ground.fleet, self.limits)
        checked = check(ground.memory, ground.fleet, batch.readings)
        batch = replace(batch, readings=checked.readings)
        evaluated = evaluate(ground.engine, ground.fleet, batch.readings)
        written = await ground.writer.write(batch, evaluated, now, checked.learnt)
        ground.engine.apply(evaluated)
        ground.memory.apply(checked.learnt)
        return written

    async def move(self, *transitions: Transition, now: datetime = NOW) -> Written:
        """Commit transitions alone."""
        batch = take_in([], self.ground.fleet, self.limits)
        return await self.ground.writer.write(batch, NOTHING._replace(transitions=list(transitions)), now)

    async def restart(self) -> None:
        """Killed and started again: what was in memory is gone."""
        await self.ground.close()
        async with asyncio.timeout(30):
            while True:
                try:
                    self.ground = await take_up(self.settings)
                except StandbyError:  # the server has not noticed yet that we are gone
                    await asyncio.sleep(0.01)
                else:
                    return

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return await (await self.conn.execute(query.encode(), values)).fetchall()

    async def one(self, query: str, *values: Any) -> Any:
        """The only column of the only row."""
        ((value,),) = await self.rows(query, *values)
        return value

    async def ledger(self, device_id: str) -> dict[datetime, tuple[int, int, int, int, int]]:
        """received, stored, duplicate, conflict and quarantined by hour."""
        query = "SELECT hour, received, stored, duplicate, conflict, quarantined FROM ledger WHERE device_id = %s"
        return {row[0]: row[1:] for row in await self.rows(query, device_id)}

    async def everything(self, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
        """Whole tables, to see that nothing changed in them."""
        return {table: sorted(await self.rows(f"SELECT t::text FROM {table} t")) for table in tables}


def transition(what: Any, to: int | None, was: int | None = None, **more: Any) -> Transition:
    """A transition of the gauge's siaga alert."""
    values: dict[str, Any] = {
        "key": Key("siaga", GAUGE.id), "kind": GAUGE.kind, "metric": "level_m", "siaga": 4 if to is None else 4 - to,
        "event_at": NOW, "value": 2.6, "historical": False,
    }  # fmt: skip
    return Transition(what=what, from_severity=was, to_severity=to, **values | more)
