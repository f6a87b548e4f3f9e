"""`siaga device`: wiring only, as siaga/cli.py."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from siaga.terminal import give_up, read_settings

device_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@device_app.callback()
def _device() -> None:
    """One device: what it publishes, as it comes, and what it is told."""


@device_app.command("listen")
def listen_to_device(
    device_id: Annotated[str, typer.Argument(metavar="ID")],
    for_s: Annotated[float | None, typer.Option("--for", metavar="SECONDS", min=0.1, help="End after so long.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many messages.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each message.")] = False,
) -> None:
    """Watch one device live and judge each message: what is right, what is wrong, what would be stored. Ctrl-C ends it.

    Nothing is stored, and ingest is not disturbed. Needs SIAGA_MQTT_URL, and SIAGA_API_URL with SIAGA_API_KEY or
    SIAGA_DATABASE_URL. Ends with 1 where anything is wrong, or nothing has come.
    """
    import psycopg

    from runtime.settings import SettingError
    from siaga import listen, listen_judge
    from siaga.client import SiagaError

    settings, judged = read_settings(), []
    try:
        listen.check_id(device_id)
        device = listen.registered(device_id, settings)
        about = f"{device_id} ({device.kind})" if device else f"{device_id}, which is not registered"
        options = listen.Options(device_id, for_s, count)
        begun = f"listening to {about}; Ctrl-C ends it"
        for each in listen.listen(options, device, settings, lambda: typer.echo(begun, err=True)):
            judged.append(each)
            if as_json:
                typer.echo(json.dumps(listen_judge.as_json(each), ensure_ascii=False))
            else:
                typer.echo("\n".join(listen_judge.as_lines(each)))
    except KeyboardInterrupt:
        pass
    except (listen.ListenError, SettingError, SiagaError, psycopg.Error) as error:
        give_up(error)
    typer.echo(listen_judge.summary(judged), err=True)
    raise typer.Exit(int(not judged or any(each.is_wrong for each in judged)))


@device_app.command("command")
def tell_device(
    device_id: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Argument(help="switch or dim a lamp, interval of a gauge (docs/commands.md).")],
    args: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE", help="As state=on, level_pct=50.")] = None,
    timeout: Annotated[int | None, typer.Option(min=1, help="Seconds. [SIAGA_COMMAND_TIMEOUT_S of the API]")] = None,
    reason: Annotated[str | None, typer.Option(help="For the record.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Tell a device something, and wait for what becomes of it. Ends with 1 where it was not done.

    Needs SIAGA_API_URL and SIAGA_API_KEY.
    """
    from siaga import device_tell
    from siaga.client import Client, Command, SiagaError
    from siaga.client.values import time_text
    from siaga.named_values import named_values

    told: Command | None = None
    try:
        with Client.from_settings(read_settings()) as api:
            asked = named_values(args or [])
            for told in device_tell.tell(api, device_id, name, asked, timeout, reason):
                if not as_json:
                    typer.echo(": ".join(filter(None, (told.state, told.error))))
    except KeyboardInterrupt:
        typer.echo("not waited for; it goes on", err=True)
    except (ValueError, SiagaError) as error:
        give_up(error)
    if as_json and told is not None:
        typer.echo(json.dumps(asdict(told), indent=2, ensure_ascii=False, default=time_text))
    raise typer.Exit(int(told is None or told.state != "done"))
