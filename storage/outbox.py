"""The outbox: Procrastinate jobs, deferred on the writer's own connection so that they commit with the transition.

Tasks themselves live in worker/; here are only their names, so that ingest need not know the worker.
"""

from __future__ import annotations

from typing import Any

import procrastinate
import psycopg

NOTIFY = "notify"
NOTICES = "notices"  # the queue

# A worker killed with -9 leaves its jobs `doing`. So does one that lived on, but lost the database just as a job ended:
# no job of ours takes longer than stuck_s.
RETRY_STALLED = """
SELECT procrastinate_retry_job_v2(stalled.id, now(), NULL, NULL, NULL) FROM (
    SELECT j.id FROM procrastinate_jobs AS j LEFT JOIN procrastinate_workers AS w ON w.id = j.worker_id
    WHERE j.status = 'doing' AND (
        w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => %(silent_s)s)
        OR (SELECT max(e.at) FROM procrastinate_events AS e WHERE e.job_id = j.id AND e.type = 'started')
            < now() - make_interval(secs => %(stuck_s)s))
    -- The function raises where another worker was quicker.
    FOR UPDATE OF j SKIP LOCKED
) AS stalled
"""


def app(database: str) -> procrastinate.App:
    """A Procrastinate app on this connection string."""
    return procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database))


async def defer_notice(outbox: procrastinate.App, conn: psycopg.AsyncConnection[Any], transition_id: int) -> None:
    """Have the worker send the notice of a transition, if this transaction commits."""
    await outbox.configure_task(NOTIFY, queue=NOTICES, connection=conn, allow_unknown=True).defer_async(
        transition_id=transition_id
    )


async def retry_stalled(conn: psycopg.AsyncConnection[Any], silent_s: float, stuck_s: float) -> int:
    """Have jobs done again whose worker has been silent for too long, or that it has forgotten; how many."""
    cursor = await conn.execute(RETRY_STALLED, {"silent_s": silent_s, "stuck_s": stuck_s})
    return cursor.rowcount
