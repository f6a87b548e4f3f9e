"""Rules as the database keeps them: one append-only row a change. And what a change does to alerts that stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from alerts.rule import Key, Rule, Variant
from alerts.rules_change import Standing
from alerts.rules_set import RuleSet, Version, rule_set

# One change at a time, so that versions rise in the order of commits: whoever has seen one misses none before it.
LOCK = "SELECT pg_advisory_xact_lock(x'7369616761207275'::bigint)"
COLUMNS = "version, rule, kind, scope, definition, at, who, why"
VERSION = "SELECT coalesce(max(version), 0) FROM rule_version"
NEWEST = f"SELECT DISTINCT ON (rule, kind, scope) {COLUMNS} FROM rule_version ORDER BY rule, kind, scope, version DESC"
HISTORY = f"SELECT {COLUMNS} FROM rule_version WHERE rule = %s ORDER BY version DESC LIMIT %s"
CURRENT = """
SELECT version, definition IS NULL FROM rule_version WHERE rule = %s AND kind = %s AND scope = %s
ORDER BY version DESC LIMIT 1
"""
CHANGE = """
INSERT INTO rule_version (rule, kind, scope, definition, at, who, why) VALUES (%s, %s, %s, %s, %s, %s, %s)
RETURNING version
"""
# Of two ingest processes one gets the row, and clears the alert.
CLAIM = """
DELETE FROM alert_state AS s USING unnest(%s::text[], %s::text[]) AS k(rule, device_id)
WHERE s.rule = k.rule AND s.device_id = k.device_id RETURNING s.rule, s.device_id
"""
STANDING = """
SELECT a.rule, a.device_id, a.kind, a.metric, a.severity, a.peak_severity, a.siaga, a.historical
FROM alert AS a JOIN unnest(%s::text[], %s::text[]) AS k(rule, device_id) USING (rule, device_id)
WHERE a.open AND a.active ORDER BY a.id
"""


class Change(NamedTuple):
    """What somebody wants of one rule, and why. definition None: as shipped again."""

    variant: Variant
    definition: Rule | None
    who: str
    why: str
    at: datetime


class Changed(NamedTuple):
    """version: of the change; where it was not done, of what stands in its way (0: nothing is stored)."""

    version: int
    done: bool


async def version(conn: psycopg.AsyncConnection[Any]) -> int:
    """The number of the newest change; 0 before the first."""
    row = await (await conn.execute(VERSION)).fetchone()
    assert row is not None
    return int(row[0])


async def read(conn: psycopg.AsyncConnection[Any]) -> RuleSet:
    """The rules in force."""
    return rule_set([_version(row) for row in await (await conn.execute(NEWEST)).fetchall()])


async def history(conn: psycopg.AsyncConnection[Any], rule: str, limit: int) -> list[Version]:
    """Changes of all rules of an id, newest first."""
    return [_version(row) for row in await (await conn.execute(HISTORY, (rule, limit))).fetchall()]


async def change(conn: psycopg.AsyncConnection[Any], wanted: Change, seen: frozenset[int] | None) -> Changed:
    """Change one rule that is still at one of the versions `seen` (None: at any). Nothing is given back twice."""
    async with conn.transaction():
        await conn.execute(LOCK)
        row = await (await conn.execute(CURRENT, tuple(wanted.variant))).fetchone()
        current, is_shipped = row or (0, True)
        nothing_to_do = wanted.definition is None and is_shipped
        if nothing_to_do or (seen is not None and current not in seen):
            return Changed(current, False)
        definition = wanted.definition and Jsonb(wanted.definition.model_dump(mode="json", exclude_none=True))
        values = (*wanted.variant, definition, wanted.at, wanted.who, wanted.why)
        row = await (await conn.execute(CHANGE, values)).fetchone()
        assert row is not None
        return Changed(int(row[0]), True)


async def claim_states(conn: psycopg.AsyncConnection[Any], keys: Sequence[Key]) -> list[Standing]:
    """Forget where these stand; the alerts that they had raised, to be cleared in the same transaction."""
    ordered = sorted(keys)
    lists = [key.rule for key in ordered], [key.device_id for key in ordered]
    claimed = await (await conn.execute(CLAIM, lists)).fetchall()
    rows = await (await conn.execute(STANDING, ([r for r, _ in claimed], [d for _, d in claimed]))).fetchall()
    return [Standing(Key(rule, device_id), *rest) for rule, device_id, *rest in rows]


def _version(row: Sequence[Any]) -> Version:
    number, rule, kind, scope, *rest = row
    return Version(number, Variant(rule, kind, scope), *rest)
