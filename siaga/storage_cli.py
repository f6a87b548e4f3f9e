"""`siaga storage`: wiring only, as siaga/cli.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from siaga.storage_move import move_storage
from siaga.terminal import give_up, print_table, read_settings

if TYPE_CHECKING:
    from runtime.settings import Settings

Found = TypeVar("Found")

storage_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@storage_app.command("status")
def show_status(as_json: Json = False) -> None:
    """Show what is kept where and how long, when retention runs next, and what it waits for."""
    from siaga import storage_status as told

    found = _with_database(told.status)
    if as_json:
        typer.echo(json.dumps(told.as_json(found), indent=2, ensure_ascii=False))
        return
    for line in told.about(found):
        typer.echo(line)
    typer.echo()
    print_table(told.HEAD, told.rows(found))
    for line in told.notes(found):
        typer.echo(line)


@storage_app.command("archived")
def list_archived(
    check: Annotated[bool, typer.Option("--check", help="Read every file: SHA-256 and rows.")] = False,
    as_json: Json = False,
) -> None:
    """List the files of the archive. With --check it ends with 1 if any is not as it was written."""
    from siaga import storage_status as told

    files = _with_database(told.archived)
    wrong = dict(_with_database(lambda settings: list(told.check(settings, files)))) if check else {}
    if as_json:
        typer.echo(json.dumps([told.file_json(each, wrong.get(each)) for each in files], indent=2))
    else:
        rows = [
            (each.file, f"{each.rows:,}", told.size_text(each.size), told.minute(each.archived_at))
            + (("ok" if wrong[each] is None else "WRONG",) if check else ())
            for each in files
        ]
        print_table(("file", "rows", "size", "archived (UTC)", *(("check",) if check else ())), rows)
        for text in filter(None, wrong.values()):
            typer.echo(text, err=True)
    raise typer.Exit(int(any(wrong.values())))


storage_app.command("move")(move_storage)


def _with_database(ask: Callable[[Settings], Found]) -> Found:
    import psycopg

    from runtime.settings import SettingError
    from storage.archive_file import ArchiveError

    try:
        return ask(read_settings())
    except psycopg.errors.UndefinedTable:
        give_up(ArchiveError("the database lacks tables; run `siaga migrate`"))
    except (ArchiveError, SettingError, psycopg.Error) as error:
        give_up(error)
