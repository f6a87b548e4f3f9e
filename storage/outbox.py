"""Jobs of Procrastinate, deferred on the connection of whoever wants them, so that they commit with their cause.

Tasks themselves live in worker/; here are only their names, so that the API need not know the worker.
"""

from __future__ import annotations

from typing import Any

import procrastinate
import psycopg

DELIVER = "deliver"
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


async def defer_delivery(jobs: procrastinate.App, conn: psycopg.AsyncConnection[Any], delivery_id: int) -> None:
    """Have the worker send a message, if this transaction commits."""
    # Jobs are nobody's of a region, so whoever asks for one here may (storage/scope.py).
    await conn.execute("SET LOCAL search_path = public")
    # Never two jobs of one message at once, when one is asked for again: both would send it.
    lock = f"delivery {delivery_id}"
    task = jobs.configure_task(DELIVER, queue=NOTICES, connection=conn, lock=lock, allow_unknown=True)
    await task.defer_async(delivery_id=delivery_id)


async def retry_stalled(conn: psycopg.AsyncConnection[Any], silent_s: float, stuck_s: float) -> int:
    """Have jobs done again whose worker has been silent for too long, or that it has forgotten; how many."""
    cursor = await conn.execute(RETRY_STALLED, {"silent_s": silent_s, "stuck_s": stuck_s})
    return cursor.rowcount
