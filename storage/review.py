"""Late readings and the alerts of the past: what is to be looked at, what it is looked at with, what is corrected."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from alerts.engine import Transition, What
from alerts.hindsight import Correction, Episode, Told, episodes
from alerts.life import OF_THE_RULE, SERVER
from alerts.rule import Key
from alerts.rules_replay import Arrived
from devices.kind import Kind
from storage import event_log
from storage.event_log import Deed
from storage.kind_tables import reading_table

MARK = """
INSERT INTO alert_review (device_id, since, until)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[])
"""
# What waits is looked at again when the device has said more.
DUE = """
SELECT m.device_id, min(m.since) AS since, max(m.until) AS until, array_agg(m.id ORDER BY m.id) AS marks
FROM alert_review AS m JOIN latest AS l USING (device_id) WHERE m.looked IS NULL OR l.ts > m.looked
GROUP BY m.device_id ORDER BY min(m.id) LIMIT %s
"""
CLAIM = "DELETE FROM alert_review WHERE id = ANY (%s)"
WAIT = "INSERT INTO alert_review (device_id, since, until, looked) VALUES (%s, %s, %s, %s)"
STORED = """
SELECT t.alert_id, a.rule, a.kind, a.metric, t.what, t.from_severity, t.to_severity, t.siaga, t.event_at, t.value
FROM transition AS t JOIN alert AS a ON a.id = t.alert_id
WHERE a.device_id = %s AND NOT a.superseded AND t.what = ANY (%s) AND a.rule = ANY (%s) ORDER BY t.id
"""
READINGS = """
SELECT device_id, (extract(epoch FROM ts) * 1000000)::bigint, 0, qc, qc_reason {metrics}
FROM {table} WHERE device_id = {device} AND ts > {after} AND ts <= {until} ORDER BY ts LIMIT {slice}
"""
# As it was: raised, changed and over before anybody could be told.
ADD = """
INSERT INTO alert (rule, device_id, kind, metric, severity, peak_severity, siaga, active, historical, raised_at,
                   detected_at, cleared_at, value)
VALUES (%(rule)s, %(device_id)s, %(kind)s, %(metric)s, %(severity)s, %(peak)s, %(siaga)s, false, true, %(raised_at)s,
        %(detected_at)s, %(cleared_at)s, %(value)s)
RETURNING id
"""
SUPERSEDE = """
UPDATE alert SET superseded = true, superseded_by = %s, version = version + 1 WHERE id = ANY (%s)
"""
SLICE = 20_000
WHY = "readings that came late"


class Due(NamedTuple):
    """Times between which readings of a device came late, and the marks that say so."""

    device_id: str
    since: datetime
    until: datetime
    marks: list[int]


async def mark(conn: psycopg.AsyncConnection[Any], found: Mapping[str, tuple[datetime, datetime]]) -> None:
    """Have the past of these devices looked at, between these times."""
    if found:
        since, until = zip(*found.values(), strict=True)
        await conn.execute(MARK, (list(found), list(since), list(until)))


async def due(conn: psycopg.AsyncConnection[Any], at_most: int) -> list[Due]:
    """Devices that are to be looked at, oldest marks first."""
    async with conn.cursor(row_factory=class_row(Due)) as cursor:
        await cursor.execute(DUE, (at_most,))
        return await cursor.fetchall()


async def claim(conn: psycopg.AsyncConnection[Any], marks: Sequence[int]) -> bool:
    """Take these marks away. False where another worker was quicker."""
    return (await conn.execute(CLAIM, (list(marks),))).rowcount == len(marks)


async def wait(conn: psycopg.AsyncConnection[Any], due: Due, looked: datetime) -> None:
    """Look again once there are newer readings than the one of `looked`: something that matters still stands."""
    await conn.execute(WAIT, (due.device_id, due.since, due.until, looked))


async def told(conn: psycopg.AsyncConnection[Any], device_id: str, rules: Sequence[str]) -> dict[str, list[Told]]:
    """The alerts of a device as the log has them, by rule; none that have been superseded."""
    by_alert: dict[tuple[str, int], list[Transition]] = {}
    rows = await conn.execute(STORED, (device_id, sorted(OF_THE_RULE), list(rules)))
    async for alert_id, rule, kind, metric, what, was, to, siaga, event_at, value in rows:
        one = Transition(Key(rule, device_id), kind, what, metric, was, to, siaga, event_at, value, False)
        by_alert.setdefault((rule, alert_id), []).append(one)
    found: dict[str, list[Told]] = {}
    for (rule, alert_id), transitions in by_alert.items():
        if mine := episodes(transitions).get(rule):
            found.setdefault(rule, []).append(Told(alert_id, tuple(mine)))
    return found


async def readings(
    conn: psycopg.AsyncConnection[Any], kind: Kind, metrics: Sequence[str], device_id: str, after: datetime,
    until: datetime,
) -> AsyncGenerator[Arrived, None]:  # fmt: skip
    """Readings with after < ts <= until in order of their times, a slice at a time."""
    while True:
        query = sql.SQL(READINGS).format(
            metrics=sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(name)) for name in metrics),
            table=sql.Identifier(reading_table(kind)),
            device=sql.Literal(device_id),
            after=sql.Literal(after),
            until=sql.Literal(until),
            slice=sql.Literal(SLICE),
        )
        rows = await (await conn.cursor(binary=True).execute(query)).fetchall()
        if rows:
            yield Arrived(kind.name, metrics, rows)
            after = datetime.fromtimestamp(rows[-1][1] // 1_000_000, UTC).replace(microsecond=rows[-1][1] % 1_000_000)
        if len(rows) < SLICE:
            return


async def correct(
    conn: psycopg.AsyncConnection[Any], of: Key, kind: str, metric: str | None, wanted: Correction, now: datetime
) -> list[int]:
    """Add the true alerts of a rule on a device as historical, in the place of what was told; their ids.

    Within the transaction that takes the marks away, under the event log's lock.
    """
    added = [await _add(conn, of, kind, metric, each, now) for each in wanted.true]
    if wanted.superseded:
        await conn.execute(SUPERSEDE, (added[0] if added else None, list(wanted.superseded)))
        instead = f"alert {', '.join(map(str, added))} has it as it was" if added else "it would not have been raised"
        deed = Deed("commented", SERVER, now, f"{WHY} tell it otherwise: {instead}")
        await event_log.tell(conn, sorted(wanted.superseded), deed)
    return added


async def _add(
    conn: psycopg.AsyncConnection[Any], of: Key, kind: str, metric: str | None, true: Episode, now: datetime
) -> int:
    assert true.cleared is not None
    last, over = true.steps[-1], true.cleared
    alert = {
        **of._asdict(),
        "kind": kind,
        "metric": metric,
        "severity": last.severity,
        "peak": true.peak,
        "siaga": over.siaga,
        "raised_at": _time(true.opened),
        "detected_at": now,
        "cleared_at": _time(true.until),
        "value": over.value,
    }
    row = await (await conn.execute(ADD, alert)).fetchone()
    assert row is not None
    severities = [None, *(step.severity for step in true.steps), None]
    for step, was, to in zip((*true.steps, over), severities, severities[1:], strict=False):
        event = {
            "alert_id": row[0],
            "what": _what(was, to),
            "from_severity": was,
            "to_severity": to,
            "siaga": step.siaga,
            "event_at": _time(step.at),
            "detected_at": now,
            "who": None,
            "why": WHY,
            "value": step.value,
        }
        await conn.execute(event_log.INSERT, event)
    return int(row[0])


def _what(was: int | None, to: int | None) -> What:
    if was is None or to is None:
        return "raised" if was is None else "cleared"
    return "worsened" if to > was else "eased"


def _time(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
