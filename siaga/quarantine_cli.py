"""`siaga quarantine`: wiring only, as siaga/cli.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from siaga.terminal import give_up, print_table, read_settings

if TYPE_CHECKING:
    from runtime.settings import Settings
    from siaga.client import Client
    from siaga.client.quarantine import Action

Found = TypeVar("Found")

quarantine_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def _shift(text: str) -> float:
    """Seconds of -7h, 90m or -25200."""
    from simulator.times import parse_duration

    bare = text.removeprefix("-")
    try:
        seconds = parse_duration(bare, "--shift")
    except ValueError as error:
        raise typer.BadParameter(f"{error}, with a minus to move back: -7h") from None
    return seconds if bare is text else -seconds


# Which entries: their ids, or all that these say.
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Entries; or give a filter.")]
Reason = Annotated[str | None, typer.Option(help="Only for this reason, as future_timestamp.")]
State = Annotated[str | None, typer.Option(help="Only in this state, as open or claimed.")]
Device = Annotated[str | None, typer.Option(help="Only of this device, registered or not.")]
Group = Annotated[str | None, typer.Option(help="Only with this fingerprint: the same complaint.")]
Since = Annotated[str | None, typer.Option(help="Only seen since then, RFC 3339 with an offset.")]
# How.
Note = Annotated[str | None, typer.Option(help="Why, for the record.")]
Force = Annotated[bool, typer.Option("--force", help="Also what somebody else has claimed.")]
Shift = Annotated[
    float | None, typer.Option(parser=_shift, metavar="TIME", help="Added to every ts: -7h for WIB sent as UTC.")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@quarantine_app.command("list")
def list_entries(
    reason: Reason = None,
    state: State = None,
    device: Device = None,
    group: Group = None,
    since: Since = None,
    groups: Annotated[bool, typer.Option("--groups", help="One line for each complaint.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Lines at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List entries, newest first."""
    from siaga.quarantine import listed

    chosen = {"reason": reason, "state": state, "device": device, "fingerprint": group, "since": since}
    found = _with_api(lambda api, _: listed(api, groups, chosen, limit))
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    first = ("fingerprint", "entries") if groups else ("id", "state")
    head = (*first, "count", "last_seen", "device_id", "reason", "detail")
    print_table(head, [tuple(str(each[name]) for name in head) for each in found])


@quarantine_app.command("show")
def show_entry(
    number: Annotated[int, typer.Argument(metavar="ID")], shift: Shift = None, as_json: Json = False
) -> None:
    """Show one entry, what was done with it, and what a replay would make of it now.

    It is tried here, with SIAGA_DECODERS and the limits of this machine, and the device as it is registered.
    """
    from siaga.attempt import as_lines, look

    found = _with_api(lambda api, settings: look(api, number, settings, shift or 0.0))
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(as_lines(found)))


@quarantine_app.command("claim")
def claim(
    ids: Ids = None,
    reason: Reason = None,
    state: State = None,
    device: Device = None,
    group: Group = None,
    since: Since = None,
    note: Note = None,
    force: Force = False,
) -> None:
    """Look after entries; others are then refused. Ends with 1 where any was."""
    chosen = {"reason": reason, "state": state, "device": device, "fingerprint": group, "since": since}
    _act("claim", ids, chosen, {"note": note, "force": force})


@quarantine_app.command("discard")
def discard(
    note: Annotated[str, typer.Option(help="Why, for the record.")],
    ids: Ids = None,
    reason: Reason = None,
    state: State = None,
    device: Device = None,
    group: Group = None,
    since: Since = None,
    force: Force = False,
) -> None:
    """Say that entries are never to be stored, and why. Ends with 1 where any was refused."""
    chosen = {"reason": reason, "state": state, "device": device, "fingerprint": group, "since": since}
    _act("discard", ids, chosen, {"note": note, "force": force})


@quarantine_app.command("replay")
def replay(
    ids: Ids = None,
    reason: Reason = None,
    state: State = None,
    device: Device = None,
    group: Group = None,
    since: Since = None,
    shift: Shift = None,
    note: Note = None,
    force: Force = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for what comes of it.")] = True,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait while ingest replays nothing.")] = 60,
) -> None:
    """Have ingest try entries again. Ends with 1 unless all of them are replayed, or asked for with --no-wait."""
    chosen = {"reason": reason, "state": state, "device": device, "fingerprint": group, "since": since}
    how = {"note": note, "force": force, "shift_s": shift or 0.0}
    _act("replay", ids, chosen, how, patience if wait else None)


def _act(
    action: Action, ids: list[int] | None, chosen: dict[str, Any], how: dict[str, Any], patience_s: float | None = None
) -> None:
    from siaga.quarantine import act

    all_done = _with_api(lambda api, _: act(api, action, ids or [], chosen, how, patience_s))
    raise typer.Exit(0 if all_done else 1)


def _with_api(ask: Callable[[Client, Settings], Found]) -> Found:
    from runtime.settings import SettingError
    from siaga.client import Client, SiagaError
    from siaga.quarantine import QuarantineError

    settings = read_settings()
    try:
        with Client.from_settings(settings) as api:
            return ask(api, settings)
    except (SiagaError, QuarantineError, SettingError) as error:
        give_up(error)
