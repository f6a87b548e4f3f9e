"""The `siaga` command. Wiring only: each command imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from siaga.alerts_cli import alerts_app
from siaga.ca_cli import ca_app
from siaga.credentials_cli import broker_app, credentials, provision, revoke, rotate
from siaga.device_cli import device_app
from siaga.doctor_cli import show_doctor
from siaga.keys_cli import keys_app
from siaga.notices_cli import notices_app
from siaga.quarantine_cli import quarantine_app
from siaga.rules_cli import rules_app
from siaga.storage_cli import storage_app
from siaga.terminal import give_up, print_table, read_settings
from siaga.users_cli import users_app

if TYPE_CHECKING:
    from runtime.settings import Settings

Found = TypeVar("Found")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
devices_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(alerts_app, name="alerts", help="The file of an alert or an incident, for who was not there.")
app.add_typer(broker_app, name="broker", help="The broker's users, kept as the database says.")
app.add_typer(ca_app, name="ca", help="A small authority for certificates of brokers and devices.")
app.add_typer(device_app, name="device", help="One device: what it publishes, as it comes.")
app.add_typer(devices_app, name="devices", help="The registry of devices.")
app.add_typer(keys_app, name="keys", help="API keys: make, list, revoke.")
app.add_typer(notices_app, name="notices", help="Who is told of alerts: check the plan, send a test, dead letters.")
app.add_typer(quarantine_app, name="quarantine", help="What could not become readings: look at it, and act.")
app.add_typer(
    rules_app, name="rules", help="When alerts are raised: check rules, and try them before they are in force."
)
app.add_typer(storage_app, name="storage", help="What is kept where and how long, and the archive.")
app.add_typer(users_app, name="users", help="Who may sign in: the first admin is made here.")

# What follows `siaga simulate` is read by the simulator's own command.
FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.callback()
def _siaga() -> None:
    """Siaga: watch a regency's streetlights, rivers and roads."""


@app.command("up")
def start_everything(
    data: Annotated[Path, typer.Option(help="Folder for everything that must be kept.")] = Path("siaga-data"),
    api_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the page and the API; 0 finds a free one. [8800]")
    ] = None,
    mqtt_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the MQTT broker; 0 finds a free one. [1883]")
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="How many devices to simulate.")] = 200,
    seed: Annotated[int, typer.Option(help="Another seed is another city.")] = 1,
    simulator: Annotated[bool, typer.Option("--simulator/--no-simulator", help="Simulate a city.")] = True,
    history: Annotated[
        str,
        typer.Option(help="The past of a new city, so that charts are not empty: 1d, 30d; 0 for none."),
    ] = "1d",
) -> None:
    """Run everything on this machine: broker, database, ingest, worker, API and a simulated city.

    SIAGA_DATABASE_URL and SIAGA_MQTT_URL replace the database and the broker it would start.
    """
    from siaga.stack.up import Options, up
    from simulator.times import parse_duration

    if history != "0":
        try:
            parse_duration(history, "--history")
        except ValueError as error:
            give_up(error)
    raise typer.Exit(up(Options(data, api_port, mqtt_port, devices, seed, simulator, history), read_settings()))


@app.command("env")
def show_environment(
    data: Annotated[Path, typer.Option(help="The data folder of the `siaga up` that runs.")] = Path("siaga-data"),
) -> None:
    """Print what makes other commands find a running `siaga up`: eval "$(siaga env)"."""
    from siaga.stack.folder import FolderError, environment

    try:
        lines = environment(data)
    except FolderError as error:
        give_up(error)
    for name, value in lines.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema. Safe to repeat."""
    import psycopg

    from runtime.settings import SettingError, require
    from storage.migrate import migrate as run

    try:
        run(require(read_settings().database_url, "SIAGA_DATABASE_URL"), typer.echo)
    except (SettingError, psycopg.Error, RuntimeError) as error:
        give_up(error)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write the whole database of SIAGA_DATABASE_URL to a file, as of one moment, while everything goes on."""
    from siaga.backup.make import backup as run

    _with_backup(lambda url: run(url, file, force, typer.echo))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="File of `siaga backup`.", exists=True, dir_okay=False)],
    force: Annotated[
        bool, typer.Option("--force", help="Put it in the place of what is there, which is kept under another name.")
    ] = False,
    into: Annotated[
        str | None, typer.Option(metavar="NAME", help="Restore into a new database beside, to look at.")
    ] = None,
) -> None:
    """Restore a backup into the empty database of SIAGA_DATABASE_URL, and count its rows. All of it, or nothing."""
    from siaga.backup.restore import restore as run

    _with_backup(lambda url: run(url, file, force, into, typer.echo))


@app.command()
def ingest() -> None:
    """Take readings from the broker into the database."""
    from ingest.main import run

    _run_part("ingest", run)


@app.command()
def worker() -> None:
    """Do the periodic work: rollups, retention, notices."""
    from worker.main import run

    _run_part("worker", run)


@app.command()
def api() -> None:
    """Serve the HTTP API and the dashboard."""
    from api.main import run

    _run_part("api", run)


@app.command(context_settings=FORWARDED)
def simulate(context: typer.Context) -> None:
    """Publish as a city of devices would, and write down what must come of it."""
    from simulator.cli import simulate as run

    _forward("simulate", run, context)


@app.command()
def verify(
    truth: Annotated[Path, typer.Option(help="Folder that `siaga simulate --truth` has written.", file_okay=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for ingest and rollups while nothing changes any more.")
    ] = 30,
    late: Annotated[float, typer.Option(min=0, help="Seconds after its reading from which an alert is late.")] = 60,
    most: Annotated[int, typer.Option(min=1, help="Differences listed at most; --json has all.")] = 50,
) -> None:
    """Compare what was sent with what is stored, rolled up, alerted and shown. Ends with 1 on any difference."""
    from siaga.verify.main import Options
    from siaga.verify.main import verify as run

    raise typer.Exit(run(Options(truth, as_json, patience, late, most), read_settings()))


@app.command("decode")
def decode_sample(
    sample: Annotated[
        Path, typer.Option(help="A payload, or lines of `mosquitto_sub -F %J` (one packet a line).", dir_okay=False)
    ],
    kind: Annotated[str, typer.Option(help="Kind of the device: streetlight, cabinet, water_level, traffic.")],
    topic: Annotated[
        str | None,
        typer.Option(help="Topic it is published under; it chooses the decoder. [the line's own, else a native topic]"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Decoders to try. [the file of SIAGA_DECODERS]", dir_okay=False)
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="When it arrives, RFC 3339 with an offset. [the line's own time, else now]")
    ] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="Attribute of the device, NAME=VALUE as sensor_to_datum_m=8; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what would be stored of a payload, by the code of ingest. Ends with 1 if anything would be quarantined.

    Nothing is stored: neither broker nor database is needed, and what other readings would say is not looked at.
    """
    from siaga.decode import DecodeError, Options, attributes_of, decode, time_of
    from siaga.decode import as_json as plain
    from siaga.decode import as_text as lines

    try:
        options = Options(
            sample=sample,
            kind=kind,
            topic=topic,
            config=str(config) if config else None,
            at=time_of(at) if at else None,
            attributes=attributes_of(attribute or []),
        )
        tried = decode(options, read_settings())
    except DecodeError as error:
        give_up(error)
    if as_json:
        typer.echo(json.dumps(plain(tried), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(lines(tried)))
    raise typer.Exit(int(any(batch.quarantined for _, batch in tried)))


app.command("doctor")(show_doctor)
devices_app.command("provision")(provision)
devices_app.command("rotate")(rotate)
devices_app.command("revoke")(revoke)
devices_app.command("credentials")(credentials)


@app.command("settings")
def show_settings(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List every setting: environment variable, value, unit, default and what it does."""
    from runtime.settings import describe

    lines = describe(read_settings())
    if as_json:
        typer.echo(json.dumps([line._asdict() for line in lines], indent=2, ensure_ascii=False))
        return
    rows = [(s.env, s.value or "-", s.unit, s.default or "-", s.text) for s in lines]
    print_table(("setting", "value", "unit", "default", "what it does"), rows)


@app.command("asyncapi")
def show_asyncapi() -> None:
    """Print the AsyncAPI 3.0 document of what devices publish; the API has it at /asyncapi.json."""
    from devices.asyncapi import Limits, document
    from devices.kinds import KINDS

    settings = read_settings()
    limits = Limits(settings.array_max, settings.payload_max_bytes)
    typer.echo(json.dumps(document(KINDS.values(), limits), indent=2, ensure_ascii=False))


@devices_app.command("import")
def import_devices(
    file: Annotated[Path, typer.Argument(help="Fleet CSV: id,kind,name,region,district,lat,lon,attributes …")],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Import the good rows when some are bad.")] = False,
    correct: Annotated[
        bool, typer.Option("--correct", help="The registry was wrong: what the file says has always been so.")
    ] = False,
) -> None:
    """Register or update devices from a CSV file; all of it or, without --skip-bad, nothing.

    A panel or district that differs counts from now on: nights and energy of before stay with the old one. After a
    mistake --correct tells the past by the file too.
    """
    from siaga.registry import import_file

    _with_registry(lambda url: import_file(url, file, skip_bad, correct))


@devices_app.command("list")
def list_devices(
    kind: Annotated[str | None, typer.Option(help="Only this kind.")] = None,
    district: Annotated[str | None, typer.Option(help="Only this kecamatan, as 12.09.19.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List registered devices."""
    from siaga.registry import list_all, plain

    found = _with_registry(lambda url: list_all(url, kind, district))
    if as_json:
        typer.echo(json.dumps([plain(device) for device in found], indent=2, ensure_ascii=False))
        return
    rows = [(d.id, d.kind, d.name or "-", d.district or "-") for d in found]
    print_table(("id", "kind", "name", "district"), rows)


@devices_app.command("show")
def show_device(device_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show one device with its attributes."""
    from siaga.registry import find, plain

    device = _with_registry(lambda url: find(url, device_id))
    typer.echo(json.dumps(plain(device), indent=2, ensure_ascii=False))


def _run_part(name: str, run: Callable[[Settings], int]) -> None:
    from runtime import log
    from runtime.settings import SettingError

    settings = read_settings()
    log.setup(name, settings.log_level)
    try:
        raise typer.Exit(run(settings))
    except SettingError as error:
        give_up(error)


def _forward(name: str, run: Callable[..., object], context: typer.Context) -> None:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command()(run)
    alone(context.args, prog_name=f"siaga {name}")


def _with_backup(run: Callable[[str], None]) -> None:
    import psycopg

    from runtime.settings import SettingError, require
    from siaga.backup.file import BackupError

    try:
        run(require(read_settings().database_url, "SIAGA_DATABASE_URL"))
    except (BackupError, SettingError, OSError, psycopg.Error) as error:
        give_up(error)


def _with_registry(ask: Callable[[str], Found]) -> Found:
    import psycopg

    from runtime.settings import SettingError, require
    from siaga.registry import RegistryError

    try:
        return ask(require(read_settings().database_url, "SIAGA_DATABASE_URL"))
    except psycopg.errors.UndefinedTable:
        give_up(RegistryError("the database has no tables yet; run `siaga migrate`"))
    except (RegistryError, SettingError, psycopg.Error) as error:
        give_up(error)
