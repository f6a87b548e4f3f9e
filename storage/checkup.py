"""What `siaga doctor` asks the database about itself and about what waits in it. It changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

from storage import parts
from storage.credentials import LIVES as COUNTS
from storage.credentials import OF_RETIRED
from storage.keys import LIVES

# pg_settings shows data_directory only to who may see it, where SHOW would be an error.
SERVER = """
SELECT current_setting('server_version_num')::int AS version, pg_is_in_recovery() AS replica,
    current_setting('transaction_read_only') = 'on' AS read_only,
    current_setting('fsync') = 'on' AS fsync, current_setting('full_page_writes') = 'on' AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS connections,
    (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend'
        AND application_name NOT LIKE 'siaga %%') AS others,
    (SELECT setting::float8 / 1000 FROM pg_settings WHERE name = 'statement_timeout') AS statement_timeout_s,
    (SELECT setting::float8 / 1000 FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout')
        AS idle_timeout_s,
    (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS data_directory,
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls,
    extract(epoch FROM (SELECT utc_offset FROM pg_timezone_names WHERE name = %(zone)s))::float8 AS zone_offset_s,
    (SELECT count(*)::int FROM pg_stat_replication) AS standbys,
    current_setting('synchronous_standby_names') <> '' AS waits_for_standby
"""
CLOCK = "SELECT clock_timestamp()"
WAITING = f"""
SELECT (SELECT count(*) FROM device) AS devices,
    (SELECT max(received_at) FROM latest) AS newest,
    (SELECT max(committed_at) FROM ingest_session) AS committed_at,
    (SELECT min(pace_s) FROM ingest_session) AS pace_s,
    (SELECT count(*) FROM delivery WHERE gave_up AND made_at > now() - interval '1 day') AS dead,
    (SELECT min(made_at) FROM delivery WHERE sent_at IS NULL AND NOT gave_up AND tries = 0) AS unsent_since,
    (SELECT count(*) FROM quarantine WHERE state IN ('open', 'claimed')) AS quarantined,
    (SELECT min(first_seen) FROM quarantine WHERE state IN ('open', 'claimed')) AS quarantined_since,
    (SELECT count(*) FROM app_user WHERE role = 'admin' AND regions IS NULL AND NOT disabled) AS admins,
    (SELECT count(*) FROM api_key AS k WHERE k.role = 'admin' AND {LIVES}) AS admin_keys,
    (SELECT array_agg(client_id ORDER BY client_id) FROM ingest_session
        WHERE session_id = client_id AND starts_with(client_id, 'siaga-ingest')) AS guessable
"""
CREDENTIALS = f"""
SELECT count(*)::int AS active, min(c.expires_at) AS first_end,
    count(*) FILTER (WHERE c.expires_at < now() + make_interval(days => %s))::int AS ending,
    count(*) FILTER (WHERE {OF_RETIRED})::int AS retired
FROM credential AS c WHERE {COUNTS}
"""


class Server(NamedTuple):
    """connections: open to who is no superuser; others: of clients that are not ours. Timeouts: 0 is none.

    data_directory: None where this user may not see it. zone_offset_s: of our time zone; None where it is unknown.
    standbys: that follow it now; waits_for_standby: a commit is answered when one of them has it.
    """

    version: int
    replica: bool
    read_only: bool
    fsync: bool
    full_page_writes: bool
    synchronous_commit: str
    connections: int
    others: int
    statement_timeout_s: float
    idle_timeout_s: float
    data_directory: str | None
    tls: bool
    zone_offset_s: float | None
    standbys: int = 0
    waits_for_standby: bool = False


class Waiting(NamedTuple):
    """What is there, what came last, and what waits for somebody. dead: messages given up within a day.

    guessable: sessions of ingest that are called at the broker what everybody's were before they got a random end.
    """

    devices: int
    newest: datetime | None
    committed_at: datetime | None
    pace_s: float | None
    dead: int
    unsent_since: datetime | None
    quarantined: int
    quarantined_since: datetime | None
    admins: int
    admin_keys: int
    guessable: list[str] | None


class Credentials(NamedTuple):
    """Of those that count now: when the first ends, how many do soon, and how many are of retired devices."""

    active: int
    first_end: datetime | None
    ending: int
    retired: int


class Part(NamedTuple):
    """A part as it said last; fresh: within the last seconds."""

    name: str
    state: parts.State
    detail: str
    beat_at: datetime
    fresh: bool
    facts: parts.Facts


def server(conn: psycopg.Connection[Any], zone: str) -> Server:
    with conn.cursor(row_factory=class_row(Server)) as cursor:
        found = cursor.execute(SERVER, {"zone": zone}).fetchone()
    assert found is not None
    return found


def clock(conn: psycopg.Connection[Any]) -> datetime:
    """What time it is there."""
    row = conn.execute(CLOCK).fetchone()
    assert row is not None
    at: datetime = row[0]
    return at


def waiting(conn: psycopg.Connection[Any]) -> Waiting:
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        found = cursor.execute(WAITING.encode()).fetchone()
    assert found is not None
    return found


def credentials(conn: psycopg.Connection[Any], soon_days: int) -> Credentials:
    row = conn.execute(CREDENTIALS.encode(), (soon_days,)).fetchone()
    assert row is not None
    return Credentials(*row)


def all_parts(conn: psycopg.Connection[Any]) -> list[Part]:
    return [Part(*row) for row in conn.execute(parts.ALL, (parts.FRESH_S,))]
