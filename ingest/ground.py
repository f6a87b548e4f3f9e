"""What ingest stands on: the database as of the last commit, the alert engine and the fleet that belong to it.

Lost with its connection. Taking it up again reads everything anew: after an error nobody knows whether the last
commit took place, and evaluating from what is really stored gives the right answer either way.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

from alerts.engine import Engine, Evaluated
from alerts.rule import Key
from alerts.rules_change import closings, restored, unfit, why_ended
from alerts.rules_set import RuleSet
from devices.batch import Batch
from devices.checks_memory import Memory
from devices.fleet import Fleet
from devices.kinds import KINDS
from devices.topics import readings_filters
from runtime.log import get_logger
from runtime.settings import Settings, require
from storage import rules
from storage.alert_write import read_states
from storage.connect import connect_async
from storage.fleet import changed_since
from storage.ingest_session import take
from storage.resume import heard
from storage.write import Writer

log = get_logger(__name__)

PART = "ingest"
CLIENT_ID = "siaga-ingest"  # of whom nobody gave another
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Ground:
    conn: psycopg.AsyncConnection[Any]
    writer: Writer
    engine: Engine
    fleet: Fleet
    fleet_at: datetime  # changed_at of the newest device known
    regions: Sequence[str]  # whose devices are ours
    session_id: str  # of the MQTT session, as the broker knows it
    rules_version: int = 0  # of the engine's rules
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
            await self._close(unfit(self.engine, self.fleet), "other rules watch the device now")
        return bool(news)

    async def look_for_rules(self) -> bool:
        """Take over rules changed since the last look. True when there were any."""
        if await rules.version(self.conn) == self.rules_version:
            return False
        self.take_over(await rules.read(self.conn))
        await self._close(unfit(self.engine, self.fleet), self._rule_changed)
        log.info("rules.changed", version=self.rules_version, rules=len(self.engine.rules))
        return True

    async def restore_states(self) -> None:
        """Go on where the last commit stood, with the rules of now."""
        found = restored(self.engine.watched(self.fleet), await read_states(self.conn))
        self.engine.states = found.states
        await self._close(found.unfit, self._rule_changed)

    def take_over(self, known: RuleSet) -> None:
        """Evaluate by these rules from now on."""
        self.engine.rules, self.rules_version = known.rules, known.version
        for text in known.unusable:
            log.error("rule.unusable", rule=text)

    @property
    def _rule_changed(self) -> str:
        return f"rule changed (version {self.rules_version})"

    async def _close(self, keys: Sequence[Key], why: str) -> None:
        """End these states, and with them their alerts; of devices that another process serves it is that one's to do.

        The state ends in the transaction that clears the alert, so that it is cleared once, whoever is killed when.
        """
        for key in keys:
            self.engine.states.pop(key, None)
        of = {key: self.fleet.devices[self.fleet.number[key.device_id]] for key in keys}
        ours = [key for key, device in of.items() if _is_ours(device.region, self.regions)]
        if not ours:
            return
        async with self.conn.transaction():
            now = datetime.now(UTC)
            standing = await rules.claim_states(self.conn, ours)
            cleared = closings(standing, now, lambda key: why_ended(of[key], why))
            await self.writer.write(Batch([], [], 0), Evaluated(cleared, {}, []), now)

    async def close(self) -> None:
        await self.conn.close()


def part_of(client_id: str) -> str:
    """What a session of ingest is called among the parts: ingest, and ingest-north of siaga-ingest-north. One name for
    several processes would hide that one of them is gone."""
    return f"{PART}{client_id.removeprefix(CLIENT_ID) if client_id.startswith(CLIENT_ID) else f'-{client_id}'}"


def new_session_id(client_id: str) -> str:
    """What a session is called at the broker when it is made: with an end that nobody can guess, as whoever connects by
    its name has what waits for it thrown away (docs/identity.md). A name of somebody's own is taken as it is."""
    return f"{client_id}-{secrets.token_hex(16)}" if client_id.startswith(CLIENT_ID) else client_id


async def take_up(settings: Settings, other_filters: Sequence[str] = ()) -> Ground:
    """Connect and read where ingest stood. other_filters: what is subscribed to beside the regions' readings.

    Raises psycopg.Error, StandbyError where another process stands, ClashError where one stands in the way.
    """
    url = require(settings.database_url, "SIAGA_DATABASE_URL")
    conn = await connect_async(url, PART)
    try:
        own, filters = settings.ingest_client_id, [*readings_filters(settings.regions), *other_filters]
        session_id = await take(conn, own, filters, new_session_id(own))
        ground = Ground(conn, _writer(conn, settings), Engine(()), Fleet(), BEGINNING, settings.regions, session_id)
        ground.take_over(await rules.read(conn))
        await ground.look_for_devices()
        await ground.restore_states()
        every = await heard(conn)
        for kind in KINDS.values():
            ground.memory.restore(
                kind, ground.fleet, [(one.device_id, one.checks) for one in every if one.kind == kind.name]
            )
        for device_id, ts, live_at, *_ in every:
            number = ground.fleet.number.get(device_id)
            if number is not None:
                ground.engine.newest_us[number] = _microseconds(ts)
                # A device of another process's region is not silent because we do not hear it.
                if live_at is not None and _is_ours(ground.fleet.devices[number].region, settings.regions):
                    ground.engine.heard_us[number] = _microseconds(live_at)
    except BaseException:
        await conn.close()
        raise
    return ground


def _writer(conn: psycopg.AsyncConnection[Any], settings: Settings) -> Writer:
    return Writer(
        conn=conn,
        quarantine_cap=settings.quarantine_device_day,
        notice_severity=settings.notice_severity,
    )


def _is_ours(region: str | None, regions: Sequence[str]) -> bool:
    return region is None or "+" in regions or region in regions


def _microseconds(at: datetime) -> int:
    return round(at.timestamp() * 1e6)
