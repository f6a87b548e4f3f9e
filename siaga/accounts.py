"""Users and keys for the command line: straight to the database, as the first admin has nobody to ask."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import psycopg

from devices.topics import REGION
from storage import audit_log, keys, passwords, users
from storage.audit_log import Origin
from storage.connect import connect_async
from storage.keys import ROLES, NewKey

Answer = TypeVar("Answer")
Conn = psycopg.AsyncConnection[Any]


class AccountError(Exception):
    """What was asked for cannot be done; the message says why."""


def read_password() -> str:
    """Asked for twice at a terminal, else a line of stdin. Never an argument: those everybody on a machine can see."""
    if sys.stdin.isatty():
        first = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != first:
            raise AccountError("these are not the same")
    else:
        first = sys.stdin.readline().rstrip("\r\n")
    if problem := passwords.problem(first):
        raise AccountError(problem)
    return first


def create_user(url: str, name: str, role: str, regions: Sequence[str], password: str | None) -> None:
    """Raises AccountError where the name is taken, role or region is none."""
    _check(role, regions)
    stored = None if password is None else passwords.hashed(password)

    async def do(conn: Conn) -> None:
        if await users.create(conn, name, role, regions or None, stored) is None:
            raise AccountError(f"there is a user {name!r} already")
        told = {"role": role, "regions": list(regions) or None}
        await audit_log.write(conn, command_origin(), "user.created", name, told)

    in_transaction(url, do)


def set_password(url: str, name: str, password: str) -> None:
    """Sessions of the user end. Raises AccountError where there is none."""
    stored = passwords.hashed(password)

    async def do(conn: Conn) -> None:
        if not await users.set_password(conn, name, stored):
            raise AccountError(f"there is no user {name!r}")
        await keys.end_sessions_of(conn, name)
        await audit_log.write(conn, command_origin(), "user.password", name)

    in_transaction(url, do)


def disable_user(url: str, name: str) -> None:
    """Sessions and keys of the user open nothing any more. Raises AccountError where there is none."""

    async def do(conn: Conn) -> None:
        if not await users.disable(conn, name):
            raise AccountError(f"there is no user {name!r}")
        await keys.end_sessions_of(conn, name)
        await audit_log.write(conn, command_origin(), "user.changed", name, {"disabled": True})

    in_transaction(url, do)


def list_users(url: str) -> list[dict[str, Any]]:
    return in_transaction(url, users.listed)


def create_key(url: str, asked: NewKey, most_days: int) -> str:
    """The secret. Raises AccountError where the name is taken, or something is none."""
    _check(asked.role, asked.regions or ())
    if not 1 <= asked.days <= most_days:
        raise AccountError(f"a key is good for 1 to {most_days} days (SIAGA_KEY_DAYS_MAX)")

    async def do(conn: Conn) -> str:
        made = await keys.create_key(conn, asked)
        if made is None:
            raise AccountError(f"there is a key {asked.name!r} already, or there was one")
        told = asked._asdict() | {"key": made[1]["id"]}
        await audit_log.write(conn, command_origin(), "key.created", asked.name, told)
        return made[0]

    return in_transaction(url, do)


def list_keys(url: str) -> list[dict[str, Any]]:
    return in_transaction(url, lambda conn: keys.keys(conn, None))


def revoke_key(url: str, number: int) -> None:
    """Raises AccountError where there is no key of this number that could be revoked."""

    async def do(conn: Conn) -> None:
        row = await keys.revoke_key(conn, None, number)
        if row is None:
            raise AccountError(f"there is no key {number} that could be revoked")
        await audit_log.write(conn, command_origin(), "key.revoked", row["name"], {"key": number})

    in_transaction(url, do)


def _check(role: str, regions: Sequence[str]) -> None:
    if role not in ROLES:
        raise AccountError(f"{role!r} is no role; there are {', '.join(ROLES)}")
    if wrong := [region for region in regions if not REGION.fullmatch(region)]:
        raise AccountError(f"{wrong[0]!r} is no region; use Kemendagri codes such as 12.09")


def command_origin() -> Origin:
    """Whoever runs this command, for the audit log."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        name = ""
    return Origin(name, "command")


def in_transaction(url: str, ask: Callable[[Conn], Awaitable[Answer]]) -> Answer:
    """All of it, or nothing. Raises psycopg.Error."""

    async def do() -> Answer:
        async with await connect_async(url, "command") as conn, conn.transaction():
            return await ask(conn)

    return asyncio.run(do())
