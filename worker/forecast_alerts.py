"""Alerts of what forecasts say: judged with them, and written in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg

from alerts.engine import Evaluated
from alerts.forecast_walk import Told
from alerts.rising import OF_FORECASTS, follow
from alerts.rule import BY_WORKER
from alerts.rules_change import closings, restored, why_ended
from alerts.rules_scope import Watched
from devices.device import Device
from devices.fleet import Fleet
from runtime.log import get_logger
from storage import alert_write, rules
from storage.announce import announce
from worker.context import Context

log = get_logger(__name__)

Conn = psycopg.AsyncConnection[Any]


async def judge(
    here: Context, conn: Conn, gauges: Sequence[Device], told: Mapping[str, Sequence[Told]], now: datetime
) -> None:
    """Take the steps that the newest readings of these gauges make the rules take; within a transaction."""
    if not gauges:
        return
    watched = Watched((await rules.read(conn)).rules, Fleet(gauges))
    states = restored(watched, await alert_write.read_states(conn, [gauge.id for gauge in gauges])).states
    found = Evaluated([], {}, [])
    for number, gauge in enumerate(gauges):
        watches = (watch.on(number) for watch in watched.of(gauge.kind).values())
        ours = [rule for rule in watches if rule is not None and rule.condition in OF_FORECASTS]
        each = follow(ours, gauge.id, gauge.attributes, states, told[gauge.id])
        found.transitions.extend(each.transitions)
        found.states.update(each.states)
    await write(here, conn, found, now)


async def close_unfit(here: Context, conn: Conn, now: datetime) -> None:
    """Clear what rules of ours had raised that are gone, disabled, narrowed or changed in their levels, or that watch a
    device no more because it is out of service.

    Ingest does it for those that it judges; whoever claims the state clears the alert.
    """
    known = await rules.read(conn)
    of_ingest = sorted({rule.id for rule in known.rules if rule.condition not in BY_WORKER})
    stored = await alert_write.read_states_beside(conn, of_ingest)
    if not stored:
        return
    devices = {
        device_id: Device(device_id, kind, district=district, attributes=attributes, status=status)
        for _, device_id, kind, _, district, attributes, status in stored
    }
    unfit = restored(Watched(known.rules, Fleet(devices.values())), [row[:4] for row in stored]).unfit
    if not unfit:
        return
    changed = f"rule changed (version {known.version})"
    async with conn.transaction():
        standing = await rules.claim_states(conn, unfit)
        cleared = closings(standing, now, lambda key: why_ended(devices[key.device_id], changed))
        await write(here, conn, Evaluated(cleared, {}, []), now)


async def write(here: Context, conn: Conn, found: Evaluated, now: datetime) -> None:
    """Keep what rules have found and have people told; last in a transaction, as it takes the event log."""
    await alert_write.write_states(conn, found.states)
    moved = await alert_write.write_transitions(conn, found.transitions, now)
    await announce(conn, moved, here.settings.notice_severity)
    for each in moved:
        log.info("rule.alert", rule=each.transition.key.rule, device=each.transition.key.device_id,
                 what=each.transition.what)  # fmt: skip
