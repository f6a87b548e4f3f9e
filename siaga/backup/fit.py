"""Whether a backup fits where it is to be restored: pure, and before anything is touched."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from siaga.backup.file import Manifest
from storage.backup import About, major

SHOWN = 10


def misfit(manifest: Manifest, target: About, timescale: Collection[str], newest: str) -> str | None:
    """Why it cannot be restored there, or None. `timescale` are the versions the server offers, `newest` is the schema
    that this version of Siaga knows."""
    if manifest.revision > newest:
        return (
            f"the backup has schema {manifest.revision}, and this version of Siaga knows {newest} at most: "
            f"restore with Siaga {manifest.siaga} or newer"
        )
    if major(manifest.postgres) > target.major:
        return (
            f"the backup is of PostgreSQL {manifest.postgres}, and the server is {target.postgres}: "
            f"restore on PostgreSQL {major(manifest.postgres)} or newer"
        )
    if manifest.timescale is None:
        return None
    if manifest.timescale not in timescale:
        there = f"has TimescaleDB {', '.join(sorted(timescale))}" if timescale else "has no TimescaleDB loaded"
        return (
            f"the backup is of TimescaleDB {manifest.timescale}, and the server {there}: "
            f"install {manifest.timescale} there, restore, and update it afterwards"
        )
    if target.timescale not in (None, manifest.timescale):
        return (
            f"the backup is of TimescaleDB {manifest.timescale}, and database {target.database} has "
            f"{target.timescale}: restore into a new one with --into"
        )
    if not target.superuser:
        return (
            f"TimescaleDB's own tables can only be restored by a superuser, and {target.user} is none: "
            f"restore with the URL of one; what belonged to {manifest.owner} will again, if there is that role"
        )
    return None


def differences(wanted: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """Tables whose rows are not as many as they were, in words."""
    told = [
        f"{table}: {found.get(table, 'no table')} instead of {wanted.get(table, 'no table')}"
        for table in sorted(wanted.keys() | found.keys())
        if wanted.get(table) != found.get(table)
    ]
    return told if len(told) <= SHOWN else [*told[:SHOWN], f"… and {len(told) - SHOWN} more"]
