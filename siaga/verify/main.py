"""`siaga verify`: the truth of a run against the database and the API. It reads, and changes nothing."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import typer

from devices.kinds import KINDS
from runtime.settings import SettingError, Settings, require
from siaga.verify import waiting
from siaga.verify.api import Api
from siaga.verify.examine import examine
from siaga.verify.report import Report, as_json, as_text
from siaga.verify.sent import read_kind
from simulator.truth.folder import TruthError, read
from storage.connect import connect

CLEAN, DIFFERENT, NOT_COMPARED = 0, 1, 2


@dataclass(frozen=True)
class Options:
    """patience_s: how long to wait for ingest and rollups without progress. late_s: an alert that much later than the
    arrival of its reading is late. most: differences listed for people."""

    truth: Path
    as_json: bool = False
    patience_s: float = 30
    late_s: float = 60
    most: int = 50


def verify(options: Options, settings: Settings) -> int:
    """Compare and print: 0 clean, 1 differences, 2 cannot be compared."""
    try:
        found = compare(options, settings)
    except psycopg.errors.UndefinedTable:
        return _not_compared("the database has no tables yet; run `siaga migrate`")
    except psycopg.OperationalError as error:
        return _not_compared(f"the database does not answer: {str(error).strip()}")
    except psycopg.Error as error:
        return _not_compared(f"the database refuses: {str(error).strip()}")
    except httpx.InvalidURL as error:
        return _not_compared(f"SIAGA_API_URL: {error}")
    except (TruthError, SettingError) as error:
        return _not_compared(str(error))
    zone = settings.zone
    typer.echo(as_json(found, zone) if options.as_json else as_text(found, zone, options.most))
    return CLEAN if found.clean else DIFFERENT


def compare(options: Options, settings: Settings) -> Report:
    """Wait, then compare. Raises TruthError, SettingError, psycopg.Error, httpx.InvalidURL."""
    truth = read(options.truth)
    url = require(settings.database_url, "SIAGA_DATABASE_URL")
    told = [found for kind in KINDS.values() if (found := read_kind(truth, kind)).devices or found.published]
    lines = waiting.expected(told)
    with ExitStack() as opened:
        conn = opened.enter_context(connect(url, "verify"))
        api = None
        if settings.api_url and settings.api_key:
            api = opened.enter_context(closing(Api(settings.api_url, settings.api_key.get_secret_value())))
        waiting.wait(
            lambda: waiting.progress(conn, told, lines), options.patience_s, lambda line: typer.echo(line, err=True)
        )
        # Readings, rollups and alerts of one moment, whatever is written meanwhile.
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        with conn.transaction():
            return examine(conn, truth, told, settings.zone, options.late_s, api)


def _not_compared(why: str) -> int:
    typer.echo(f"siaga: cannot compare: {why}", err=True)
    return NOT_COMPARED
