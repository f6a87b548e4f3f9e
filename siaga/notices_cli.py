"""`siaga notices`: wiring only, as siaga/cli.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from siaga.terminal import give_up, print_table, read_settings

notices_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@notices_app.command("check")
def check_plan(
    file: Annotated[
        Path | None, typer.Argument(help="A notice plan. [the one of SIAGA_NOTICE_PLAN]", dir_okay=False)
    ] = None,
) -> None:
    """Check a notice plan; tells table and field of everything wrong. Ends with 1 if anything is.

    Channels whose URL is not found here are named, too: it is the worker that must find it.
    """
    from alerts.notice_plan import PlanError
    from storage import notice_file
    from worker import channels

    settings = read_settings()
    try:
        plan = notice_file.read(file) if file else notice_file.of_settings(settings)
    except PlanError as error:
        give_up(error)
    origin = file or settings.notice_plan or "SIAGA_NOTIFY_URLS"
    counts = f"{len(plan.routes)} routes, {len(plan.people)} people, {len(plan.channels)} channels"
    typer.echo(f"{origin}: {counts}, nothing wrong")
    for line in channels.wrong(plan):
        typer.echo(f"here: {line}", err=True)


@notices_app.command("test")
def send_test(
    name: Annotated[str, typer.Argument(metavar="CHANNEL|PERSON", help="Of the notice plan; a channel goes first.")],
) -> None:
    """Send a test message now and print what the service said. Ends with 1 unless every channel took it."""
    from alerts.notice_plan import PlanError
    from siaga.notices import UnknownError, send_trial

    try:
        found = send_trial(read_settings(), name)
    except (PlanError, UnknownError) as error:
        give_up(error)
    for channel, refused in found.items():
        typer.echo(f"{channel}: {refused or 'taken'}")
    raise typer.Exit(1 if any(found.values()) else 0)


@notices_app.command("dead")
def list_dead(
    limit: Annotated[int, typer.Option(min=1, help="Lines at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List messages that were given up, newest first. POST /api/v1/notices/ID/retry sends one after all."""
    from runtime.settings import SettingError
    from siaga.client import Client, SiagaError
    from siaga.notices import dead

    try:
        with Client.from_settings(read_settings()) as api:
            found = dead(api, limit)
    except (SiagaError, SettingError) as error:
        give_up(error)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    head = ("id", "made_at", "who", "channel", "what", "tries", "title", "error")
    print_table(head, [tuple(str(each[name]) for name in head) for each in found])
