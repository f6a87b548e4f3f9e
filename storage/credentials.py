"""Who may connect to the broker, as it should be: written by API and command line, read by who keeps the broker.

No secret is kept: a password follows from a key outside the database (devices/identity.py), and rotating it is to count
its generation up. Writers go one after the other, so that changed_at rises in the order of commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import bcrypt
import psycopg
from psycopg.rows import DictRow, dict_row

from devices.identity import (
    SHARED,
    Admission,
    Identity,
    Member,
    Mode,
    Rights,
    rights_of,
    rights_of_shared,
    secret,
)
from storage.as_json import time_sql

Conn = psycopg.AsyncConnection[Any]
# The least there is (1.5 ms). It is there to slow down guessing, and 192 random bits are not guessed; but a broker
# does it for every connection, and 100,000 devices that come back after a power cut should not wait for hours of it.
BCRYPT_ROUNDS = 4
# Not on the event loop at once.
HASHED_AT_ONCE = 200

LOCK = "SELECT pg_advisory_xact_lock(x'7369616761206372'::bigint)"
LIVES = "(c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > now()))"
# Devices in whose name it publishes.
ITS_OWN = "(d.id = c.name OR d.attributes ? 'gateway' AND d.attributes ->> 'gateway' = c.name)"
STATE = f"""
CASE WHEN c.revoked_at IS NOT NULL THEN 'revoked' WHEN {LIVES} THEN 'active' ELSE 'expired' END
"""
ITEM = f"""
c.name, c.mode, c.generation, {STATE} AS state, c.topics, {time_sql("c.created_at")} AS created_at, c.created_by,
{time_sql("c.changed_at")} AS changed_at, {time_sql("c.expires_at")} AS expires_at,
{time_sql("c.revoked_at")} AS revoked_at,
ARRAY(SELECT d.id FROM device AS d WHERE {ITS_OWN} ORDER BY d.id LIMIT 1000) AS devices
"""
# All of them are out of service for ever, and it still counts.
OF_RETIRED = f"""
{LIVES} AND EXISTS (SELECT FROM device AS d WHERE {ITS_OWN})
AND NOT EXISTS (SELECT FROM device AS d WHERE {ITS_OWN} AND d.status <> 'retired')
"""
RETIRED = f"SELECT c.name FROM credential AS c WHERE {OF_RETIRED} ORDER BY c.name"
# Names that may have one: devices, and gateways that devices name.
KNOWN = """
SELECT n FROM unnest(%(names)s::text[]) AS n WHERE EXISTS (SELECT FROM device AS d WHERE d.id = n)
    OR EXISTS (SELECT FROM device AS d WHERE d.attributes ? 'gateway' AND d.attributes ->> 'gateway' = n)
"""
GENERATIONS = f"SELECT c.name, c.generation, {LIVES} FROM credential AS c WHERE c.name = ANY (%s)"
# Where somebody else was quicker the generation does not follow, and the row is not ours to change.
ISSUE = f"""
INSERT INTO credential AS c (name, mode, generation, hash, topics, created_at, created_by, changed_at, expires_at)
SELECT n, %(mode)s, g, h, %(topics)s, clock_timestamp(), %(who)s, clock_timestamp(), %(expires_at)s
FROM unnest(%(names)s::text[], %(generations)s::int[], %(hashes)s::text[]) AS made (n, g, h)
ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, generation = excluded.generation, hash = excluded.hash,
    topics = excluded.topics, created_at = excluded.created_at, created_by = excluded.created_by,
    changed_at = excluded.changed_at, expires_at = excluded.expires_at, revoked_at = NULL
WHERE c.generation = excluded.generation - 1
RETURNING {ITEM}
"""
REVOKE = f"""
UPDATE credential AS c SET revoked_at = clock_timestamp(), changed_at = clock_timestamp()
WHERE c.name = ANY (%(names)s) AND c.revoked_at IS NULL RETURNING {ITEM}
"""
ONE = f"SELECT {ITEM} FROM credential AS c WHERE c.name = %s"
LIST = f"SELECT {ITEM} FROM credential AS c WHERE %(state)s::text IS NULL OR {STATE} = %(state)s ORDER BY c.name"

# What the broker's state depends on; it is read anew where one of these has moved.
REVISION = """
SELECT (SELECT max(changed_at) FROM credential), (SELECT max(changed_at) FROM device),
    (SELECT max(expires_at) FROM credential WHERE expires_at <= now())
"""
WANTED = f"""
SELECT c.name, c.mode, c.generation, c.hash, c.topics, (SELECT coalesce(jsonb_agg(jsonb_build_array(d.region, d.id)
    ORDER BY d.id), '[]') FROM device AS d WHERE {ITS_OWN})
FROM credential AS c WHERE {LIVES} ORDER BY c.name
"""
OWNED = f"EXISTS (SELECT FROM credential AS c WHERE {ITS_OWN})"
ALONE = f"SELECT d.region, d.id FROM device AS d WHERE NOT {OWNED} ORDER BY d.id"
OWN = f"SELECT d.id FROM device AS d WHERE {OWNED} ORDER BY d.id"


class Asked(NamedTuple):
    """What is asked for; names as they are at the broker, expires_at None: never."""

    names: Sequence[str]
    mode: Mode
    who: str
    expires_at: datetime | None = None
    topics: Sequence[str] = ()


class Issued(NamedTuple):
    """Rows of what was issued, and the password of each that has one."""

    rows: list[DictRow]
    secrets: dict[str, str]


class CredentialError(Exception):
    """What was asked for cannot be done; the message says why. state: of the credential as it is, if there is one."""

    def __init__(self, message: str, current: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.current = current


async def unknown(conn: Conn, names: Sequence[str]) -> list[str]:
    """Which of these are neither a device nor a gateway of one."""
    found = {row[0] async for row in await conn.execute(KNOWN.encode(), {"names": list(names)})}
    return [name for name in names if name not in found]


async def living(conn: Conn, names: Sequence[str]) -> frozenset[str]:
    """Which of these have a credential that counts now."""
    rows = await conn.execute(GENERATIONS.encode(), (list(names),))
    return frozenset([name async for name, _, lives in rows if lives])


async def issue(conn: Conn, asked: Asked, key: bytes) -> Issued:
    """Give each name a credential, the next of its generations; what it had before ends. In one transaction.

    Raises CredentialError where somebody else did so meanwhile, ValueError for a key that is too short.
    """
    generations = dict.fromkeys(asked.names, 0)
    async for name, generation, _ in await conn.execute(GENERATIONS.encode(), (list(generations),)):
        generations[name] = generation
    passwords = {name: secret(key, name, before + 1) for name, before in generations.items()}
    # In mode certificate nobody is told the password, and without one nobody gets in by a name alone.
    hashes = await _hashed(list(passwords.values()))
    values = asked._asdict() | {
        "names": list(generations), "generations": [before + 1 for before in generations.values()], "hashes": hashes,
        "topics": list(asked.topics),
    }  # fmt: skip
    async with conn.transaction():
        await conn.execute(LOCK)
        rows = await _rows(conn, ISSUE, values)
        if len(rows) < len(generations):
            missed = sorted(generations.keys() - {row["name"] for row in rows})
            raise CredentialError(f"{missed[0]}: somebody else has changed it meanwhile; ask again")
    return Issued(rows, passwords if asked.mode == "password" else {})


async def revoke(conn: Conn, names: Sequence[str]) -> list[DictRow]:
    """End credentials; those that were not over yet."""
    async with conn.transaction():
        await conn.execute(LOCK)
        return await _rows(conn, REVOKE, {"names": list(names)})


async def of_retired(conn: Conn) -> list[str]:
    """Credentials that count, of devices that are retired, or of a gateway all of whose devices are."""
    return [name async for (name,) in await conn.execute(RETIRED.encode())]


async def one(conn: Conn, name: str) -> DictRow | None:
    """A credential with its state, never its secret."""
    rows = await _rows(conn, ONE, (name,))
    return rows[0] if rows else None


async def listed(conn: Conn, state: str | None = None) -> list[DictRow]:
    """All of them, or those that are active, expired or revoked."""
    return await _rows(conn, LIST, {"state": state})


async def revision(conn: Conn) -> tuple[datetime | None, ...]:
    """Another value once anything has changed that `wanted` tells, expiry included."""
    row = await (await conn.execute(REVISION)).fetchone()
    assert row is not None
    return tuple(row)


async def wanted(conn: Conn, admission: Admission) -> list[Identity]:
    """Everybody who may connect now, in order of names."""
    found = []
    for name, mode, generation, hashed, topics, members in await (await conn.execute(WANTED.encode())).fetchall():
        if name == SHARED:
            rights = await _shared(conn, admission)
            if rights == Rights():
                continue
        else:
            rights = rights_of((Member(*member) for member in members), topics)
        found.append(Identity(name, mode, generation, hashed, rights, is_bound=bool(members)))
    return found


def days_from(now: datetime, days: int) -> datetime | None:
    """When it ends that lasts so many days; 0: never."""
    return now + timedelta(days=days) if days else None


def hashed(password: str) -> str:
    """As brokers take it. 1.5 ms."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_ROUNDS, b"2a")).decode()


async def _shared(conn: Conn, admission: Admission) -> Rights:
    if admission == "closed":
        return Rights()
    if admission == "registered":
        alone = [Member(*row) for row in await (await conn.execute(ALONE.encode())).fetchall()]
        return rights_of_shared(admission, alone, ())
    own = [row[0] for row in await (await conn.execute(OWN.encode())).fetchall()]
    return rights_of_shared(admission, (), own)


async def _hashed(passwords: Iterable[str]) -> list[str]:
    found: list[str] = []
    for some in _by(HASHED_AT_ONCE, list(passwords)):
        found += await asyncio.to_thread(_hashed_now, some)
    return found


def _hashed_now(passwords: list[str]) -> list[str]:
    return [hashed(password) for password in passwords]


def _by(size: int, items: list[str]) -> Iterable[list[str]]:
    return (items[at : at + size] for at in range(0, len(items), size))


async def _rows(conn: Conn, query: str, values: Any) -> list[DictRow]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(query.encode(), values)).fetchall()
