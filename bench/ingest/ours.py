"""(e) Siaga: `siaga ingest` with checks, ledger, latest values and alerts on; acknowledged after the commit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from bench.ingest.competitor import Competitor, Running, Task, child, counted, python

# Of the ledger, as it is small, and committed with the readings.
STORED = "SELECT coalesce(sum(stored), 0)::bigint FROM ledger"
COMMAND = tuple(python("siaga", "ingest"))


def environment(broker: str, client_id: str, database: str) -> dict[str, str]:
    """Settings of ingest as they are delivered, whatever those of this shell are."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("SIAGA_")}
    return others | {
        "SIAGA_DATABASE_URL": database, "SIAGA_MQTT_URL": broker, "SIAGA_INGEST_CLIENT_ID": client_id,
    }  # fmt: skip


@contextmanager
def start(task: Task, command: Sequence[str] = COMMAND) -> Iterator[Running]:
    env = environment(task.broker, task.client_id, task.database)
    with psycopg.connect(task.database, autocommit=True) as conn, child(task, command, env) as process:
        yield Running([process.pid], counted(process, task, STORED, conn))


COMPETITOR = Competitor("e", "Siaga, everything on", start, None, "SELECT count(*) FROM reading_streetlight")
