"""`siaga keys`: wiring only, as siaga/cli.py."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from siaga.terminal import print_table, read_settings
from siaga.users_cli import Regions, asked

keys_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom or what it is for.")],
    role: Annotated[str, typer.Option(help="viewer, operator, engineer or admin.")] = "viewer",
    region: Regions = None,
    days: Annotated[int | None, typer.Option(min=1, help="Until it expires. [SIAGA_KEY_DAYS]")] = None,
) -> None:
    """Make an API key and print it, this once: only its digest is kept."""
    from siaga.accounts import create_key as run
    from storage.keys import NewKey

    settings = read_settings()
    wanted = NewKey(name, role, region or None, None, settings.key_days if days is None else days)
    typer.echo(asked(lambda url: run(url, wanted, settings.key_days_max)))


@keys_app.command("list")
def list_keys(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List all keys, without their secrets."""
    from siaga.accounts import list_keys as run

    found = asked(run)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    head = ("id", "name", "role", "regions", "owner", "expires_at", "last_used_at", "revoked_at")
    shown = [each | {"regions": ",".join(each["regions"] or ["all"])} for each in found]
    print_table(head, [tuple(str(each[name] or "-") for name in head) for each in shown])


@keys_app.command("revoke")
def revoke_key(number: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Let a key open nothing any more; sessions that began with it end."""
    from siaga.accounts import revoke_key as run

    asked(lambda url: run(url, number))
