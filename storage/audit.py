"""Everything that is stored of some devices, for who checks the whole: `siaga verify`. It writes nothing.

Many rows come as columns: 700,000 readings are 90 MB so, and ten times that as Python objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from devices.batch import QuarantineReason
from devices.kind import Floats, Kind
from devices.quality import Quality
from storage import review
from storage.kind_tables import reading_table, rollup_columns, rollup_table

Ints = npt.NDArray[np.int64]
NONE = -1  # a whole number that is null

# Exact: extract() gives numeric. device is the index among the ids asked for.
ROWS = """
SELECT c.number::int - 1, (extract(epoch FROM r.{at}) * 1000000)::bigint, {columns}
FROM unnest(%(devices)s::text[]) WITH ORDINALITY AS c(device_id, number) JOIN {table} AS r USING (device_id)
WHERE r.{at} >= %(since)s AND r.{at} < %(until)s
ORDER BY c.number, r.{at}
"""
RECEIVED = "received_at"
MICROS = "(extract(epoch FROM {}) * 1000000)::bigint"
BEFORE = """
(SELECT r.{name} FROM {table} AS r WHERE r.device_id = c.device_id AND r.ts < %(since)s AND r.qc <= {worst}
 AND r.{name} IS NOT NULL ORDER BY r.ts DESC LIMIT 1)
"""
ASKED = "FROM unnest(%(devices)s::text[]) WITH ORDINALITY AS c(device_id, number)"
NEWEST = """
CROSS JOIN LATERAL (SELECT * FROM {table} AS t WHERE t.device_id = c.device_id ORDER BY t.ts DESC LIMIT 1) AS r
"""
LEDGER = """
SELECT device_id, (extract(epoch FROM hour) * 1000000)::bigint, stored, duplicate, conflict FROM ledger
WHERE device_id = ANY (%s) AND hour >= %s AND hour < %s
"""
TOTALS = """
SELECT device_id, sum(received)::bigint, sum(conflict)::bigint, sum(quarantined)::bigint FROM ledger
WHERE device_id = ANY (%s) GROUP BY device_id
"""
QUARANTINE = """
SELECT device_id, reason, topic, payload IS NULL, count(*), sum(count)::bigint,
    array_remove(array_agg(CASE WHEN reason = ANY (%s) THEN convert_from(payload, 'UTF8')::json ->> 'ts' END), NULL),
    state = 'replayed', array_agg((extract(epoch FROM first_seen) * 1000000)::bigint)
FROM quarantine WHERE device_id = ANY (%s) GROUP BY 1, 2, 3, 4, 8 ORDER BY 1, 2, 3, 4, 8
"""
ALERTS = """
SELECT id, rule, device_id, severity, peak_severity, siaga, active, (extract(epoch FROM raised_at) * 1000000)::bigint,
    (extract(epoch FROM cleared_at) * 1000000)::bigint
FROM alert WHERE device_id = ANY (%s) AND NOT superseded ORDER BY id
"""
# By whoever they stand for now: what late data has moved elsewhere has left an incident of nobody.
INCIDENTS = """
SELECT i.id, i.rule, i.device_id, (extract(epoch FROM i.raised_at) * 1000000)::bigint,
    (extract(epoch FROM i.cleared_at) * 1000000)::bigint, count(DISTINCT m.device_id)
FROM alert AS i JOIN alert AS m ON m.parent_id = i.id WHERE i.device_id = ANY (%s) GROUP BY i.id ORDER BY i.id
"""
# Events of alerts of these devices that are not yet looked at for incidents.
UNGROUPED = """
SELECT count(*) FROM transition AS t JOIN alert AS a ON a.id = t.alert_id
WHERE t.id > coalesce((SELECT event_id FROM grouping), 0) AND a.device_id = ANY (%s) AND a.rule = ANY (%s)
"""
# Of these the payload is one reading as we have written it, with its ts; any other payload may be anything.
WITH_TIME: tuple[QuarantineReason, ...] = ("conflict", "future_timestamp", "too_old")
# In order of the event log, each with the arrival of the reading that caused it; null where the clock did, or where it
# was told afterwards (storage/review.py), when what stood was over.
TRANSITIONS = """
SELECT t.alert_id, t.id, t.what, t.to_severity, t.siaga, (extract(epoch FROM t.event_at) * 1000000)::bigint,
    extract(epoch FROM t.detected_at - r.received_at)::float8
FROM transition AS t JOIN alert AS a ON a.id = t.alert_id
LEFT JOIN {table} AS r ON r.device_id = a.device_id AND r.ts = t.event_at AND t.why IS DISTINCT FROM {late}
WHERE a.device_id = ANY (%s) AND NOT a.superseded ORDER BY t.id
"""
# Late readings whose alerts nobody has looked at yet.
UNREVIEWED = """
SELECT count(*) FROM alert_review AS m JOIN latest AS l USING (device_id)
WHERE m.device_id = ANY (%s) AND (m.looked IS NULL OR l.ts > m.looked)
"""
PENDING = """
SELECT count(DISTINCT (device_id, bucket)) FROM rollup_mark
WHERE kind = %s AND (device_id IS NULL OR device_id = ANY (%s)) AND bucket >= %s AND bucket < %s
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table as columns of the same length, in order of device and time (µs since 1970 UTC).

    A number that is null is NaN, a whole one is -1.
    """

    device: Ints
    at_us: Ints
    whole: dict[str, Ints]
    numbers: dict[str, Floats]
    texts: dict[str, Sequence[str | None]]

    def __len__(self) -> int:
        return len(self.device)

    def places(self) -> list[tuple[int, int]]:
        """(device, time) of each."""
        return list(zip(self.device.tolist(), self.at_us.tolist(), strict=True))


class LedgerLine(NamedTuple):
    """hour_us: when it begins."""

    device_id: str
    hour_us: int
    stored: int
    duplicate: int
    conflict: int


class LedgerTotal(NamedTuple):
    """Of all hours."""

    device_id: str
    received: int
    conflict: int
    quarantined: int


class Kept(NamedTuple):
    """Quarantine rows alike, and how often in all they came. over_cap: only counted, without payload.

    ts: RFC 3339, of each row that has one. replayed: they became readings, or other rows; then these are counted, and
    not they. arrived_us: when each came first, which is when what it became arrived.
    """

    device_id: str
    reason: str
    topic: str
    over_cap: bool
    rows: int
    times: int
    ts: Sequence[str] = ()
    replayed: bool = False
    arrived_us: Sequence[int] = ()


class Alert(NamedTuple):
    id: int
    rule: str
    device_id: str
    severity: int
    peak_severity: int
    siaga: int | None
    active: bool
    raised_us: int
    cleared_us: int | None


class Transition(NamedTuple):
    """delay_s: from the arrival of the reading that caused it; None where there is none."""

    alert_id: int
    id: int
    what: str
    to_severity: int | None
    siaga: int | None
    at_us: int
    delay_s: float | None


class Incident(NamedTuple):
    """subject: the group, in the place of a device. devices: how many it stands for."""

    id: int
    rule: str
    subject: str
    raised_us: int
    cleared_us: int | None
    devices: int


def readings(
    conn: psycopg.Connection[Any], kind: Kind, devices: Sequence[str], since: datetime, until: datetime
) -> Rows:
    """Readings with since <= ts < until: whole qc, qc_reason, seq and received_at (µs since 1970), texts boot, numbers
    the kind's metrics."""
    names = (("qc", "qc_reason", "seq", RECEIVED), list(kind.metrics), ["boot"])
    return _rows(conn, reading_table(kind), "ts", names, devices, since, until)


def rollups(
    conn: psycopg.Connection[Any], kind: Kind, size: str, devices: Sequence[str], since: datetime, until: datetime
) -> Rows:
    """Rollup rows with since <= bucket < until: whole n and n_good, numbers all others."""
    numbers = [column for metric in kind.metrics.values() for column in rollup_columns(metric)]
    table = rollup_table(kind, size)
    return _rows(conn, table, "bucket", (("n", "n_good"), numbers, ()), devices, since, until)


def counters_before(
    conn: psycopg.Connection[Any], kind: Kind, devices: Sequence[str], since: datetime
) -> dict[str, Floats]:
    """The last trusted value of each counter before `since`, by device; NaN where there is none."""
    names = [name for name, metric in kind.metrics.items() if metric.rollup == "counter"]
    if not names:
        return {}
    table = sql.Identifier(reading_table(kind))
    columns = sql.SQL(", ").join(
        sql.SQL(BEFORE).format(name=sql.Identifier(name), table=table, worst=int(Quality.NOT_EVALUATED))
        for name in names
    )
    query = sql.SQL("SELECT {} {} ORDER BY c.number").format(columns, sql.SQL(ASKED))
    rows = conn.execute(query, {"devices": list(devices), "since": since}).fetchall()
    return {name: np.array([row[i] for row in rows], dtype=np.float64) for i, name in enumerate(names)}


def newest(conn: psycopg.Connection[Any], kind: Kind, devices: Sequence[str]) -> Rows:
    """The newest reading of each device: whole qc, numbers the kind's metrics."""
    columns = (("qc",), list(kind.metrics), ())
    source = sql.SQL(ASKED + NEWEST).format(table=sql.Identifier(reading_table(kind)))
    query = sql.SQL("SELECT c.number::int - 1, (extract(epoch FROM r.ts) * 1000000)::bigint, {} {} ORDER BY 1").format(
        _listed(columns), source
    )
    return _columns(conn, query, columns, {"devices": list(devices)})


def ledger(conn: psycopg.Connection[Any], devices: Sequence[str], since: datetime, until: datetime) -> list[LedgerLine]:
    return [LedgerLine(*row) for row in conn.execute(LEDGER, (list(devices), since, until))]


def ledger_totals(conn: psycopg.Connection[Any], devices: Sequence[str]) -> list[LedgerTotal]:
    return [LedgerTotal(*row) for row in conn.execute(TOTALS, (list(devices),))]


def quarantine(conn: psycopg.Connection[Any], devices: Sequence[str]) -> list[Kept]:
    return [Kept(*row) for row in conn.execute(QUARANTINE, (list(WITH_TIME), list(devices)))]


def alerts(conn: psycopg.Connection[Any], devices: Sequence[str]) -> list[Alert]:
    return [Alert(*row) for row in conn.execute(ALERTS, (list(devices),))]


def transitions(conn: psycopg.Connection[Any], kind: Kind, devices: Sequence[str]) -> list[Transition]:
    """Of devices of one kind, in order of the event log."""
    query = sql.SQL(TRANSITIONS).format(table=sql.Identifier(reading_table(kind)), late=sql.Literal(review.WHY))
    return [Transition(*row) for row in conn.execute(query, (list(devices),))]


def pending(conn: psycopg.Connection[Any], kind: Kind, devices: Sequence[str], since: datetime, until: datetime) -> int:
    """How many buckets of these devices wait to be rolled up; one of the whole kind counts once."""
    row = conn.execute(PENDING, (kind.name, list(devices), since, until)).fetchone()
    assert row is not None
    return int(row[0])


def unreviewed(conn: psycopg.Connection[Any], devices: Sequence[str]) -> int:
    """How often readings of these devices came late, and nobody has looked yet at what that makes of their alerts."""
    row = conn.execute(UNREVIEWED, (list(devices),)).fetchone()
    assert row is not None
    return int(row[0])


def incidents(conn: psycopg.Connection[Any], subjects: Sequence[str]) -> list[Incident]:
    """Incidents of these groups that stand for anybody."""
    return [Incident(*row) for row in conn.execute(INCIDENTS, (list(subjects),))]


def ungrouped(conn: psycopg.Connection[Any], devices: Sequence[str], rules: Sequence[str]) -> int:
    """Events of these rules on these devices that nobody has looked at yet for incidents."""
    row = conn.execute(UNGROUPED, (list(devices), list(rules))).fetchone()
    assert row is not None
    return int(row[0])


Names = tuple[Sequence[str], Sequence[str], Sequence[str]]  # whole, numbers, texts


def _rows(
    conn: psycopg.Connection[Any], table: str, at: str, names: Names, devices: Sequence[str],
    since: datetime, until: datetime,
) -> Rows:  # fmt: skip
    query = sql.SQL(ROWS).format(at=sql.Identifier(at), columns=_listed(names), table=sql.Identifier(table))
    return _columns(conn, query, names, {"devices": list(devices), "since": since, "until": until})


def _listed(names: Names) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL(MICROS).format(sql.Identifier("r", name)) if name == RECEIVED else sql.Identifier("r", name)
        for part in names
        for name in part
    )


def _columns(conn: psycopg.Connection[Any], query: sql.Composed, names: Names, values: dict[str, Any]) -> Rows:
    whole, numbers, texts = names
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(query, values).fetchall()
    width = 2 + len(whole) + len(numbers) + len(texts)
    columns: list[tuple[Any, ...]] = list(zip(*found, strict=True)) if found else [()] * width
    rest = iter(columns[2:])
    return Rows(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.int64),
        {name: np.array([NONE if x is None else x for x in next(rest)], dtype=np.int64) for name in whole},
        {name: np.array(next(rest), dtype=np.float64) for name in numbers},
        {name: next(rest) for name in texts},
    )
