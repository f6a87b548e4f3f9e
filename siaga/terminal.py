"""What every command has in common: it reads the settings, prints tables, and says in a line why it gives up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from runtime.settings import Settings


def read_settings() -> Settings:
    """The settings of the environment; ends the command where one is wrong."""
    from runtime.settings import SettingError, load

    try:
        return load()
    except SettingError as error:
        give_up(error)


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        typer.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def give_up(error: Exception) -> NoReturn:
    typer.echo(f"siaga: {str(error).strip()}", err=True)
    raise typer.Exit(1)
