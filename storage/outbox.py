"""The outbox: Procrastinate jobs, deferred on the writer's own connection so that they commit with the transition.

Tasks themselves live in worker/; here are only their names, so that ingest need not know the worker.
"""

from __future__ import annotations

from typing import Any

import procrastinate
import psycopg

NOTIFY = "notify"
NOTICES = "notices"  # the queue


def app(database: str) -> procrastinate.App:
    """A Procrastinate app on this connection string."""
    return procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database))


async def defer_notice(outbox: procrastinate.App, conn: psycopg.AsyncConnection[Any], transition_id: int) -> None:
    """Have the worker send the notice of a transition, if this transaction commits."""
    await outbox.configure_task(NOTIFY, queue=NOTICES, connection=conn, allow_unknown=True).defer_async(
        transition_id=transition_id
    )
