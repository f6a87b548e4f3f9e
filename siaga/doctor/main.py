"""`siaga doctor`: every check, one after the other. One that fails itself says so and never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg

from runtime.settings import SettingError, Settings, require
from siaga import storage_status
from siaga.doctor import broker, certificates, clock, credentials, database, disk, parts, policies, safety
from siaga.doctor.verdict import Verdict, ok, problem
from storage import checkup, flavour
from storage.connect import connect
from storage.migrate import known_revisions, revision

Ask = Callable[[], Iterable[Verdict]]
Connection = psycopg.Connection[Any]
ANSWER_S = 5.0
SOCKETS = ("tcp", "tcp6")


@dataclass
class Seen:
    """What checks have seen of the database that later ones need; what could not be seen stays empty."""

    server: checkup.Server | None = None
    parts: list[checkup.Part] = field(default_factory=list)
    waiting: checkup.Waiting | None = None
    lines: list[storage_status.Line] = field(default_factory=list)


def examine(settings: Settings) -> list[Verdict]:
    """Look at everything that the settings name. It changes nothing."""
    found = _run("broker", lambda: broker.judge_reached(broker.reach(settings)))
    try:
        conn = connect(require(settings.database_url, "SIAGA_DATABASE_URL"), "doctor")
    except (psycopg.Error, SettingError) as error:
        cure = "Start PostgreSQL, or correct SIAGA_DATABASE_URL. The broker keeps what devices send meanwhile."
        found.append(problem("database", f"cannot be reached: {_first_line(error)}", cure))
        found += _without_database(settings)
    else:
        with closing(conn):
            found += _with_database(settings, conn)
    found += _run("API", lambda: _api(settings))
    for whose, host, port in _certified(settings):
        found += _run("certificate", lambda w=whose, h=host, p=port: _certificate(w, h, p))  # type: ignore[misc]
    return found


def _with_database(settings: Settings, conn: Connection) -> list[Verdict]:
    seen = Seen()
    return [
        *_run("database", lambda: _database(settings, conn, seen)),
        *_run("clock", lambda: _clocks(settings, conn, seen)),
        *_run("parts", lambda: _parts(conn, seen)),
        *_run("broker store", lambda: [_store(settings, seen)]),
        *_run("lag", lambda: _lag(settings, conn, seen)),
        *_run("retention", lambda: _policies(settings, conn, seen)),
        *_run("disk", lambda: _disks(settings, conn, seen)),
        *_run("credentials", lambda: credentials.judge(checkup.credentials(conn, credentials.SOON_DAYS))),
        *_run("safety", lambda: _safety(settings, conn, seen)),
    ]


def _without_database(settings: Settings) -> list[Verdict]:
    store = _run("broker store", lambda: [_store(settings, Seen())]) if settings.broker_monitor_url else []
    return [*store, *_run("safety", lambda: _safety(settings, None, Seen()))]


def _run(check: str, ask: Ask) -> list[Verdict]:
    """What a check has found until it was through, or failed."""
    found: list[Verdict] = []
    try:
        found.extend(ask())
    except SettingError as error:
        found.append(problem(check, _first_line(error), "Correct the setting; `siaga settings` lists them all."))
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        found.append(problem(check, "cannot be looked at: the schema is not this version's", "Run `siaga migrate`."))
    except Exception as error:  # noqa: BLE001 - a fault of one check must not hide what the others find
        text = f"cannot be looked at: {type(error).__name__}: {_first_line(error)}"
        found.append(problem(check, text, "Mend what it names and ask again; if it stays, please report it."))
    return found


def _database(settings: Settings, conn: Connection, seen: Seen) -> Iterator[Verdict]:
    seen.server = checkup.server(conn, settings.time_zone)
    schema = database.Schema(revision(conn), known_revisions(), flavour.current(conn).value)
    yield from database.judge(seen.server, schema, settings)


def _clocks(settings: Settings, conn: Connection, seen: Seen) -> Iterator[Verdict]:
    before = datetime.now(UTC)
    there = checkup.clock(conn)
    yield clock.judge("database", clock.offset(before, there, datetime.now(UTC)))
    if seen.server:
        ours = datetime.now(settings.zone).utcoffset()
        assert ours is not None
        yield from clock.judge_zone(clock.Zone(settings.time_zone, ours.total_seconds(), seen.server.zone_offset_s))


def _parts(conn: Connection, seen: Seen) -> Iterator[Verdict]:
    seen.parts = checkup.all_parts(conn)
    yield from parts.judge_parts(seen.parts, checkup.clock(conn))


def _store(settings: Settings, seen: Seen) -> Verdict:
    return broker.judge_store(broker.store(settings, parts.facts_of(seen.parts, "worker")), settings.broker_full_pct)


def _lag(settings: Settings, conn: Connection, seen: Seen) -> Iterator[Verdict]:
    seen.waiting = checkup.waiting(conn)
    now = checkup.clock(conn)
    yield from parts.judge_lag(seen.parts, seen.waiting, settings, now)
    yield from parts.judge_waiting(seen.waiting, now)


def _policies(settings: Settings, conn: Connection, seen: Seen) -> Iterator[Verdict]:
    seen.lines = storage_status.status(settings).lines
    failing = flavour.failing(conn, flavour.current(conn))
    yield from policies.judge(seen.lines, failing, checkup.clock(conn))


def _disks(settings: Settings, conn: Connection, seen: Seen) -> Iterator[Verdict]:
    """The database's disk where it is one of this machine's and this user may know where; the archive's."""
    folder = seen.server.data_directory if seen.server and safety.is_loopback(conn.info.host) else None
    if folder and (found := disk.disk("database", folder)):
        yield disk.judge(found, disk.growth(seen.lines))
    if settings.archive_dir and (found := disk.disk("archive", settings.archive_dir)):
        yield disk.judge(found, None)


def _safety(settings: Settings, conn: Connection | None, seen: Seen) -> Iterator[Verdict]:
    places = []
    if settings.mqtt_url is not None:
        at = broker.there(settings)
        places.append(safety.Place("broker", at.host, at.port, at.tls, at.password, at.username))
    if conn is not None and seen.server:
        info = conn.info
        places.append(safety.Place("database", info.host, info.port, seen.server.tls, info.password or None, info.user))
    yield from safety.judge(settings, places, _listening(), seen.waiting)


def _listening() -> frozenset[int]:
    """Of Linux; elsewhere nothing is known."""
    tables = {name: Path("/proc/net", name) for name in SOCKETS}
    return safety.open_ports({name: path.read_text() for name, path in tables.items() if path.exists()})


def _api(settings: Settings) -> Iterator[Verdict]:
    host = "127.0.0.1" if settings.api_host in ("0.0.0.0", "::") else settings.api_host  # noqa: S104 - asked, not bound
    url = (settings.api_url or f"http://{host}:{settings.api_port}").rstrip("/")
    before = datetime.now(UTC)
    try:
        answer = httpx.get(f"{url}/healthz", timeout=ANSWER_S)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield problem("API", f"{url}: {_first_line(error)}", "Start `siaga api`, or correct SIAGA_API_URL.")
        return
    after = datetime.now(UTC)
    yield ok("API", f"{url} answers")
    if date := answer.headers.get("Date"):
        yield clock.judge("API", clock.offset(before, parsedate_to_datetime(date), after, step_s=1.0))


def _certified(settings: Settings) -> list[tuple[str, str, int]]:
    try:
        return list(certificates.wanted(settings))
    except SettingError:
        return []  # said already, of the broker


def _certificate(whose: str, host: str, port: int) -> list[Verdict]:
    return [certificates.judge(certificates.look(whose, host, port), datetime.now(UTC))]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
