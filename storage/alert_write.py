"""Transitions into rows: the alert and its line in the event log, inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from alerts.engine import Transition
from alerts.rule import Key
from alerts.state import State
from devices.device import Status
from storage import event_log
from storage.alert_hold import FOUND, Touched, settle
from storage.announce import Moved

TOUCHED = "id, held, window_id, shelved_severity, parent_id"
# A new alert, or the open one (cleared, not yet acknowledged) come back: one open alert per rule and device.
RAISE = f"""
INSERT INTO alert AS a (rule, device_id, kind, metric, severity, peak_severity, siaga, active, historical,
                        raised_at, detected_at, value)
VALUES (%(rule)s, %(device_id)s, %(kind)s, %(metric)s, %(severity)s, %(severity)s, %(siaga)s, true, %(historical)s,
        %(event_at)s, %(detected_at)s, %(value)s)
ON CONFLICT (rule, device_id) WHERE open DO UPDATE SET
    active = true, acked = false, severity = excluded.severity, siaga = excluded.siaga, value = excluded.value,
    peak_severity = greatest(a.peak_severity, excluded.severity), cleared_at = NULL,
    historical = a.historical AND excluded.historical, version = a.version + 1
RETURNING {TOUCHED}, {FOUND}
"""
# Worse, or live after all, needs a person again: acknowledged becomes unacknowledged. Better does not.
MOVE = f"""
UPDATE alert SET severity = %(severity)s, peak_severity = greatest(peak_severity, %(severity)s), siaga = %(siaga)s,
    value = %(value)s, acked = acked AND NOT %(worse)s, historical = historical AND %(historical)s,
    worsened = %(severity)s > severity OR (worsened AND %(severity)s = severity), version = version + 1
WHERE rule = %(rule)s AND device_id = %(device_id)s AND open
RETURNING {TOUCHED}
"""
CLEAR = f"""
UPDATE alert SET active = false, cleared_at = %(event_at)s, siaga = %(siaga)s, value = %(value)s, version = version + 1
WHERE rule = %(rule)s AND device_id = %(device_id)s AND open
RETURNING {TOUCHED}
"""
SAVE_STATE = """
INSERT INTO alert_state (rule, device_id, state) VALUES (%s, %s, %s)
ON CONFLICT (rule, device_id) DO UPDATE SET state = excluded.state
"""
FORGET_STATE = "DELETE FROM alert_state WHERE rule = %s AND device_id = %s"
STATES = """
SELECT s.rule, s.device_id, d.kind, s.state FROM alert_state s JOIN device d ON d.id = s.device_id
WHERE %(devices)s::text[] IS NULL OR s.device_id = ANY (%(devices)s)
"""
STATES_BESIDE = """
SELECT s.rule, s.device_id, d.kind, s.state, d.district, d.attributes, d.status
FROM alert_state s JOIN device d ON d.id = s.device_id WHERE s.rule <> ALL (%s)
"""


async def write_states(conn: psycopg.AsyncConnection[Any], states: Mapping[Key, State | None]) -> None:
    """Keep where each (rule, device) stands, so that a restart goes on from the last commit."""
    kept = [(*key, Jsonb(state.to_json())) for key, state in states.items() if state]
    gone = [tuple(key) for key, state in states.items() if not state]
    async with conn.cursor() as cursor:
        if kept:
            await cursor.executemany(SAVE_STATE, kept)
        if gone:
            await cursor.executemany(FORGET_STATE, gone)


async def read_states(
    conn: psycopg.AsyncConnection[Any], devices: Sequence[str] | None = None
) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Rows (rule, device_id, kind, state); of these devices, or all."""
    return await (await conn.execute(STATES, {"devices": devices})).fetchall()


async def read_states_beside(
    conn: psycopg.AsyncConnection[Any], rules: Sequence[str]
) -> list[tuple[str, str, str, dict[str, Any], str | None, dict[str, Any], Status]]:
    """Rows (rule, device_id, kind, state, district, attributes, status) of all rules but these."""
    return await (await conn.execute(STATES_BESIDE, (list(rules),))).fetchall()


async def write_transitions(
    conn: psycopg.AsyncConnection[Any], transitions: Sequence[Transition], detected_at: datetime
) -> list[Moved]:
    """Apply transitions in order and log them; returns each with its id in the event log.

    Call last in the transaction: it takes the event log's lock, which is held until commit.
    """
    if not transitions:
        return []
    await conn.execute(event_log.LOCK)
    written = []
    for t in transitions:
        values = {
            "rule": t.key.rule,
            "device_id": t.key.device_id,
            "kind": t.kind,
            "metric": t.metric,
            "severity": t.to_severity,
            "siaga": t.siaga,
            "historical": t.historical,
            "worse": t.what in ("worsened", "went_live"),
            "event_at": t.event_at,
            "detected_at": detected_at,
            "at": detected_at,
            "value": t.value,
        }
        query = RAISE if t.what == "raised" else CLEAR if t.what == "cleared" else MOVE
        row = await (await conn.execute(query.encode(), values)).fetchone()
        if row is None:
            # Somebody removed the open alert by hand (a restore, say). The state is right; there is nothing to move.
            continue
        alert = Touched(*row)
        held, deeds = await settle(conn, alert, t.to_severity, detected_at)
        logged = await conn.execute(
            event_log.INSERT,
            {
                **values,
                "alert_id": alert.id,
                "what": t.what,
                "from_severity": t.from_severity,
                "to_severity": t.to_severity,
                "who": None,
                "why": t.why,
            },
        )
        number = await logged.fetchone()
        assert number is not None
        for deed in deeds:
            await event_log.tell(conn, [alert.id], deed)
        written.append(Moved(int(number[0]), t, alert.id, held))
    return written
