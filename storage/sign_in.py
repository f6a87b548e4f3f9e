"""How often somebody may try to sign in: pauses that double, then a lock-out, for a name and for an address.

A try is counted before the password is looked at, in one statement: of many that come at once none is free of charge.
Names that do not exist are counted the same way, so nobody learns which do.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import psycopg

What = Literal["name", "address"]

COUNT = """
INSERT INTO sign_in_failure AS f (what, whose, failed, until) VALUES (%(what)s, %(whose)s, 1, now())
ON CONFLICT (what, whose) DO UPDATE SET
    failed = CASE WHEN f.until < now() - interval '1 day' THEN 1 ELSE f.failed + 1 END,
    until = now() + make_interval(secs => CASE
        WHEN f.until < now() - interval '1 day' OR f.failed < %(free)s THEN 0
        WHEN f.failed + 1 >= %(most)s THEN %(lock_s)s
        ELSE least(%(lock_s)s, 2 ^ least(f.failed + 1 - %(free)s, 30)) END)
WHERE f.until <= now() RETURNING failed
"""
WAIT = """
SELECT greatest(extract(epoch FROM until - now()), 0)::float8 FROM sign_in_failure WHERE what = %s AND whose = %s
"""
FORGET = "DELETE FROM sign_in_failure WHERE what = %s AND whose = %s"
# Whoever shares an address with somebody who guesses must not wipe out those guesses by signing in.
TAKE_BACK = "UPDATE sign_in_failure SET failed = greatest(failed - 1, 0) WHERE what = %s AND whose = %s"


class Patience(NamedTuple):
    """free: tries without a pause after them; most: tries until the lock-out, which is lock_s seconds long."""

    free: int
    most: int
    lock_s: float


async def wait_s(conn: psycopg.AsyncConnection[Any], what: What, whose: str, patience: Patience) -> float | None:
    """Count a try. None: go on; else how many seconds to wait first, and then nothing was counted."""
    values = patience._asdict() | {"what": what, "whose": whose}
    if await (await conn.execute(COUNT, values)).fetchone():
        return None
    row = await (await conn.execute(WAIT, (what, whose))).fetchone()
    return float(row[0]) if row else None


async def succeeded(conn: psycopg.AsyncConnection[Any], name: str | None, address: str) -> None:
    """It was the right password, or the right key."""
    if name is not None:
        await conn.execute(FORGET, ("name", name))
    await conn.execute(TAKE_BACK, ("address", address))
