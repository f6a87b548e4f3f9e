"""`siaga storage move`: wiring only, as siaga/cli.py."""

from __future__ import annotations

from typing import Annotated

import typer

from siaga.terminal import give_up, read_settings


def move_storage(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be moved.")] = False,
) -> None:
    """Move readings and rollups of a plain database into TimescaleDB, which its server must have. Ingest waits."""
    import psycopg

    from runtime.settings import SettingError, require
    from storage.move import MoveError, move

    try:
        move(require(read_settings().database_url, "SIAGA_DATABASE_URL"), typer.echo, dry_run)
    except (SettingError, MoveError, psycopg.Error) as error:
        give_up(error)
