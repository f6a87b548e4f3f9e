"""`siaga devices provision|rotate|revoke|credentials` and `siaga broker`: wiring only, as siaga/cli.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from siaga.terminal import give_up, print_table, read_settings
from siaga.users_cli import asked

if TYPE_CHECKING:
    from devices.identity import Mode

broker_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Names = Annotated[list[str], typer.Argument(metavar="ID…")]
Out = Annotated[Path | None, typer.Option("--out", dir_okay=False, help="New file for id,username,password. [print]")]


def provision(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Devices, or gateways they name.")] = None,
    fleet: Annotated[Path | None, typer.Option("--csv", dir_okay=False, help="All devices of a fleet CSV.")] = None,
    out: Out = None,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="By a certificate of this name, no password (`siaga ca issue`).")
    ] = False,
    days: Annotated[int | None, typer.Option(min=0, help="Until it expires; 0 never. [SIAGA_CREDENTIAL_DAYS]")] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(help="ID is no device but an integration, as a LoRaWAN server, and publishes here; repeatable."),
    ] = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="The one for devices without their own; see SIAGA_DEVICE_ADMISSION.")
    ] = False,
) -> None:
    """Give devices a user at the broker, and print the passwords, this once. Who has one already keeps it."""
    from devices.identity import SHARED
    from siaga.credentials import Wanted, names_of
    from siaga.credentials import provision as run

    settings = read_settings()
    mode: Mode = "certificate" if certificate else "password"
    lasting = settings.credential_days if days is None else days

    def do(url: str) -> None:
        all_names = [*(names or ()), *(names_of(fleet) if fleet else ()), *([SHARED] if shared else ())]
        if not all_names:
            raise typer.BadParameter("name devices, or --csv, or --shared")
        with _told(out) as tell:
            done = run(url, settings, Wanted(all_names, mode, lasting, topic or ()))
            tell(done.made)
        typer.echo(f"{len(done.made)} made, {len(done.kept)} had one", err=True)

    asked(do)


def rotate(names: Names, out: Out = None) -> None:
    """Give each the next password, and print it, this once. The one before ends within seconds."""
    from siaga.credentials import rotate as run

    settings = read_settings()

    def do(url: str) -> None:
        with _told(out) as tell:
            tell(run(url, settings, names))

    asked(do)


def revoke(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ID…]")] = None,
    retired: Annotated[bool, typer.Option("--retired", help="All whose devices are retired.")] = False,
) -> None:
    """Let them in no more; whoever is connected is cut off within seconds."""
    from siaga.credentials import of_retired
    from siaga.credentials import revoke as run

    def do(url: str) -> None:
        if not (names or retired):
            raise typer.BadParameter("name devices, or --retired")
        done = run(url, [*(names or ()), *(of_retired(url) if retired else ())])
        typer.echo(f"{', '.join(done)}: revoked" if done else "none that is retired may connect")

    asked(do)


def credentials(
    state: Annotated[str | None, typer.Option(help="Only those that are active, expired or revoked.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List who may connect to the broker, and who might. Never the passwords."""
    from siaga.credentials import listed

    if state not in (None, "active", "expired", "revoked"):
        raise typer.BadParameter(f"{state!r} is none of active, expired, revoked")
    found = asked(lambda url: listed(url, state))
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    head = ("name", "mode", "generation", "state", "devices", "created_by", "created_at", "expires_at")
    shown = [each | {"devices": len(each["devices"])} for each in found]
    print_table(head, [tuple(str(each[name] or "-") for name in head) for each in shown])


@contextmanager
def _told(out: Path | None) -> Iterator[Callable[[Mapping[str, str | None]], object]]:
    """Where passwords go: a new file, or the terminal."""
    from siaga.credentials import secrets_file

    if out is not None:
        with secrets_file(out) as write:
            yield write
    else:
        yield _show


def _show(made: Mapping[str, str | None]) -> None:
    for name, password in made.items():
        typer.echo(f"{name} {password or '(certificate)'}")


@broker_app.callback()
def _broker() -> None:
    """The broker's users, kept as the database says."""


@broker_app.command("sync")
def sync(once: Annotated[bool, typer.Option("--once", help="Do it once, and end.")] = False) -> None:
    """Keep a broker's users as the database says: on the broker's machine, where the worker is on another.

    Needs SIAGA_DATABASE_URL, and SIAGA_BROKER_USERS_FILE with SIAGA_BROKER_PID_FILE or SIAGA_BROKER_CONTROL_URL.
    """
    import asyncio

    import psycopg

    from runtime import log
    from runtime.settings import SettingError
    from runtime.stop import stop_event
    from worker.broker import sync as run
    from worker.broker.target import SyncError

    settings = read_settings()

    async def follow() -> None:
        if run.target(settings) is None:
            raise SettingError(run.NONE)
        await run.keep(settings, stop_event())

    try:
        if once:
            done = asyncio.run(run.once(settings))
            typer.echo(f"{done.users} users" + (f", {done.changed} changed" if done.changed is not None else ""))
        else:
            log.setup("broker-sync", settings.log_level)
            asyncio.run(follow())
    except (SettingError, SyncError, psycopg.Error) as error:
        give_up(error)
