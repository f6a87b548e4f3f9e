"""`siaga alerts`: wiring only, as siaga/cli.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from siaga.terminal import give_up, read_settings

alerts_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@alerts_app.command("file")
def write_file(
    alert_id: Annotated[int, typer.Argument(metavar="ID", min=1, help="The alert, or the incident.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write everything about an alert into one ZIP: readings, rule, events, notices, forecasts, map."""
    import psycopg

    from runtime.settings import SettingError
    from siaga.alerts_file import FileError, make

    try:
        made = make(alert_id, out, read_settings(), force)
    except psycopg.errors.UndefinedTable:
        give_up(FileError("the database has no tables yet; run `siaga migrate`"))
    except (FileError, SettingError, OSError, psycopg.Error) as error:
        give_up(error)
    typer.echo(f"{out}: {made.readings:,} readings, {made.members:,} members; end of the chain {made.chain}")


@alerts_app.command("check")
def check_file(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="An incident file.", exists=True, dir_okay=False)],
) -> None:
    """Check the sums of an incident file, and re-create its alerts from its readings. Ends with 1 on any difference.

    Neither database nor settings are needed.
    """
    from siaga.alerts_file import FileError, check, lines

    try:
        found = check(path)
    except (FileError, OSError) as error:
        give_up(error)
    typer.echo("\n".join(lines(found)))
    raise typer.Exit(0 if found.good else 1)
