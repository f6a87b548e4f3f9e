"""`siaga up`: everything on one machine, from pip-installed parts, data in one folder.

Promise: it ends with a page to open or with a sentence that says what to do; and when it ends, all of it ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from runtime.mqtt_url import parse_url
from runtime.settings import SettingError, Settings
from siaga.stack import broker, parts, places, ports, postgres, processes, reach
from siaga.stack.board import Board
from siaga.stack.console import complain, say, say_of
from siaga.stack.folder import Folder, FolderError, Kept, claim, write_json
from siaga.stack.part import Part
from siaga.stack.signals import Signals
from siaga.stack.supervisor import StartError, StopAskedError, Supervisor
from storage import keys
from storage.connect import connect
from storage.parts import keep_only

# Long enough for PostgreSQL to end in order after its `siaga up` was killed.
LEFTOVER_PATIENCE_S = 15.0
Troubles = (FolderError, SettingError, StartError, ports.PortError, broker.BrokerError, postgres.PostgresError)


@dataclass(frozen=True, slots=True)
class Options:
    """The command line. A port of None is the usual one, 0 any free one."""

    data: Path
    api_port: int | None = None
    mqtt_port: int | None = None
    devices: int = 200
    seed: int = 1
    simulator: bool = True
    history: str = "1d"


def up(options: Options, settings: Settings) -> int:
    """Run the stack until asked to stop; the exit code."""
    os.umask(0o077)
    try:
        folder = claim(options.data.resolve())
    except FolderError as error:
        complain(str(error))
        return 1
    with folder.lock:
        try:
            # A stack.json of a killed run names what is no longer there.
            folder.stack.unlink(missing_ok=True)
            _run(folder, options, settings)
        except Troubles as error:
            complain(str(error))
            return 1
        except psycopg.Error as error:
            complain(f"the database refused: {str(error).strip()}")
            return 1
        finally:
            folder.stack.unlink(missing_ok=True)
    return 0


def _run(folder: Folder, options: Options, settings: Settings) -> None:
    say(f"Siaga, data in {folder.root}")
    _end_leftovers(folder)
    where = places.settle(folder, settings, options.api_port, options.mqtt_port)
    board = Board(where.database_url)

    def changed() -> None:
        if folder.stack.exists():
            write_json(folder.stack, where.stack(os.getpid(), supervisor.pids))

    supervisor = Supervisor(folder, Signals(), board, changed)
    try:
        env = _start_servers(folder, settings, where, supervisor)
        _start_ours(options, settings, where, supervisor, board, env)
        with connect(where.database_url, "up") as conn:
            token = keys.create_sign_in_token(conn)
        write_json(folder.stack, where.stack(os.getpid(), supervisor.pids))
        say("\nRunning; Ctrl-C stops everything. This link signs one browser in, within 15 minutes.")
        say(f"Later, sign in with the admin_key in {folder.stack}.\n\n  {where.api_url}/sign-in?token={token}\n")
        supervisor.run()
    except StopAskedError:
        pass
    finally:
        say("\nStopping.")
        supervisor.stop()


def _start_servers(folder: Folder, settings: Settings, where: places.Places, supervisor: Supervisor) -> dict[str, str]:
    """The database and the broker, ours or the operator's, and the schema; the environment for our own parts."""
    env = parts.base_environment(folder.root)
    kept = where.kept
    servers: list[Part] = []
    if settings.database_url is None:
        servers.append(_database(folder, env, kept.database_port or 0, kept.database_password, supervisor))
    if settings.mqtt_url is None:
        servers.append(_broker(env, kept, folder))
    supervisor.start(servers)
    if settings.database_url is None:
        postgres.create_database(kept.database_port or 0, kept.database_password)
    if settings.mqtt_url is not None:
        _check_broker(where.mqtt_url)
    else:
        env["SIAGA_BROKER_MONITOR_URL"] = where.monitor_url
    env |= {"SIAGA_DATABASE_URL": where.database_url, "SIAGA_MQTT_URL": where.mqtt_url}
    began = time.monotonic()
    said = supervisor.run_once("migrate", parts.command("migrate"), env)
    say_of("migrate", said[-1] if said else "done", time.monotonic() - began)
    return env


def _database(folder: Folder, env: Mapping[str, str], port: int, password: str, supervisor: Supervisor) -> Part:
    home = folder.database
    identity, version = postgres.choose_identity(home)
    if postgres.needs_initdb(home):
        say_of("database", f"making a new PostgreSQL {version} cluster; once, a few seconds …")
        command = postgres.initdb_command(home, password)
        supervisor.run_once("initdb", command, postgres.environment(env), identity, home)
        postgres.finish_initdb(home)
    return postgres.part(env, home, identity, version, port, password)


def _broker(env: Mapping[str, str], kept: Kept, folder: Folder) -> Part:
    return broker.part(env, kept.mqtt_port or 0, kept.mqtt_password, folder.broker, kept.monitor_port or 0)


def _check_broker(url: str) -> None:
    try:
        there = parse_url(url)
    except ValueError as error:
        raise StartError(str(error)) from None
    if not reach.answers(there):
        raise StartError(
            f"SIAGA_MQTT_URL: the broker at {there.host}:{there.port} does not answer or refuses this user and "
            "password. Check that it runs and that the URL is right."
        )


def _start_ours(
    options: Options,
    settings: Settings,
    where: places.Places,
    supervisor: Supervisor,
    board: Board,
    env: Mapping[str, str],
) -> None:
    """ingest, worker and api, and when they work the simulator."""
    kept = where.kept
    local = {
        "SIAGA_API_PORT": str(kept.api_port),
        "SIAGA_INGEST_METRICS_PORT": str(kept.ingest_metrics_port),
        "SIAGA_WORKER_METRICS_PORT": str(kept.worker_metrics_port),
    }
    # Links in notices: where the operator says people reach the API, else where it listens.
    linked = {**env, **local, "SIAGA_API_URL": settings.api_url or where.api_url}
    ours = [
        parts.reporting("ingest", linked, board, where.metrics_url(kept.ingest_metrics_port)),
        parts.reporting("worker", linked, board, where.metrics_url(kept.worker_metrics_port)),
        parts.api(linked, where.api_url),
    ]
    key = {"SIAGA_API_URL": where.api_url, "SIAGA_API_KEY": kept.admin_key}
    city = []
    if options.simulator:
        city = [parts.simulator({**env, **local, **key}, options.devices, options.seed, options.history)]
    with connect(where.database_url, "up") as conn:
        keys.ensure_admin_key(conn, kept.admin_key)
        coming = [part.name for part in (*ours, *city)]
        keep_only(conn, [*supervisor.names, *coming])
    # Those of later stages too: without their rows, or with those of a killed run, /readyz would be 200 too early.
    board.write(dict.fromkeys(coming, ("starting", "")))
    supervisor.start(ours)
    if city:
        supervisor.start(city)


def _end_leftovers(folder: Folder) -> None:
    """Wait for what a killed `siaga up` left behind: two servers on one folder would ruin it."""
    left = processes.leftovers(folder.root)
    if left:
        say(f"waiting for processes of an earlier run to end: {', '.join(map(str, left))}")
    if not processes.end_all(lambda: processes.leftovers(folder.root), LEFTOVER_PATIENCE_S):
        raise StartError("processes of an earlier run do not end, not even by kill -9; restart the machine.")
