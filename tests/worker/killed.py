"""kill -9 of a worker at a chosen moment: a trigger waits there until the test lets go."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import psycopg

from tests.worker.test_process import ask, running, until

Conn = psycopg.AsyncConnection[Any]

# A lock that the test holds.
HOLD, LET_GO = "SELECT pg_advisory_lock(4711)", "SELECT pg_advisory_unlock(4711)"
WAIT = """
CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0
    AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER wait AFTER INSERT OR UPDATE ON {} DEFERRABLE INITIALLY {}
    FOR EACH ROW EXECUTE FUNCTION wait_here()
"""
WAITING = """
SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND locktype = 'advisory' AND objid = 4711 AND datname = current_database()
"""


class Moment(NamedTuple):
    """After a row of this table is written: at once, or when its transaction is about to commit.

    The server notices that its client is gone, or goes on with what it was told.
    """

    table: str
    when: Literal["IMMEDIATE", "DEFERRED"]
    server: Literal["notices", "goes on"]


async def kill_worker(url: str, other: Conn, at: Moment, **settings: str) -> None:
    """Start a worker and kill it at that moment; its session is over afterwards, or has done what it was at."""
    await other.execute(WAIT.format(at.table, at.when).encode())
    await other.execute(HOLD)
    with running(url, **settings) as process:
        until(lambda: ask(url, WAITING))
        ((pid,),) = ask(url, WAITING)
        process.kill()
        process.wait()
    if at.server == "notices":
        await other.execute("SELECT pg_terminate_backend(%s, 60000)", (pid,))
    await other.execute(LET_GO)
    await other.execute(f"DROP TRIGGER wait ON {at.table}".encode())
