"""`siaga users`: wiring only, as siaga/cli.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from siaga.terminal import give_up, print_table, read_settings

Found = TypeVar("Found")

users_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Name = Annotated[str, typer.Argument(metavar="NAME")]
Regions = Annotated[list[str] | None, typer.Option("--region", help="Only of this region, as 12.09; repeatable. [all]")]


@users_app.command("create")
def create_user(
    name: Name,
    role: Annotated[str, typer.Option(help="viewer, operator, engineer or admin.")],
    region: Regions = None,
    no_password: Annotated[bool, typer.Option("--no-password", help="Signs in by OIDC only.")] = False,
) -> None:
    """Add somebody who may sign in. The password is asked for, or read from stdin; 12 characters or more."""
    from siaga.accounts import create_user as run
    from siaga.accounts import read_password

    asked(lambda url: run(url, name, role, region or [], None if no_password else read_password()))
    typer.echo(f"{name} may sign in as {role}")


@users_app.command("list")
def list_users(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List everybody who may sign in."""
    from siaga.accounts import list_users as run

    found = asked(run)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = [
        (u["name"], u["role"], ",".join(u["regions"] or ["all"]), "yes" if u["disabled"] else "no", u["changed_at"])
        for u in found
    ]
    print_table(("name", "role", "regions", "disabled", "changed"), rows)


@users_app.command("set-password")
def set_password(name: Name) -> None:
    """Give somebody another password, asked for or read from stdin; their sessions end."""
    from siaga.accounts import read_password
    from siaga.accounts import set_password as run

    asked(lambda url: run(url, name, read_password()))


@users_app.command("disable")
def disable_user(name: Name) -> None:
    """Let somebody in no more; their sessions and keys end at once. What they did keeps their name."""
    from siaga.accounts import disable_user as run

    asked(lambda url: run(url, name))


def asked(ask: Callable[[str], Found]) -> Found:
    """What the database says, or the end of the command."""
    import psycopg

    from runtime.settings import SettingError, require
    from siaga.accounts import AccountError

    try:
        return ask(require(read_settings().database_url, "SIAGA_DATABASE_URL"))
    except psycopg.errors.UndefinedTable:
        give_up(AccountError("the database has no such tables yet; run `siaga migrate`"))
    except (AccountError, SettingError, psycopg.Error) as error:
        give_up(error)
