"""`siaga backup FILE`: the whole database at one moment, while everything goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from siaga.backup import file, programs
from siaga.backup.file import MB, BackupError, Manifest
from storage import backup as database
from storage.connect import connect

# gzip, which every pg_restore reads. The usual level 6 takes 2.3 times as long for a quarter less.
COMPRESS = "1"


def backup(url: str, target: Path, force: bool, say: Callable[[str], None]) -> None:
    """Write a backup; a line to `say` per step. Raises BackupError, OSError, psycopg.Error."""
    with connect(url, "backup") as conn, file.part_of(target, force) as part:
        found = database.about(conn)
        if found.revision is None or found.owner is None:
            raise BackupError(f"database {found.database} has no tables of Siaga; run `siaga migrate`")
        program, wrote = programs.find("pg_dump", found.major)
        # Counted and dumped as of the same moment, or the counts would say nothing.
        with database.snapshot(conn) as name:
            say(f"counting the rows of {found.database}: PostgreSQL {found.postgres}, {found.flavour.value}")
            manifest = Manifest(
                made_at=datetime.now(UTC),
                siaga=version("siaga"),
                database=found.database,
                owner=found.owner,
                revision=found.revision,
                flavour=found.flavour,
                postgres=found.postgres,
                timescale=found.timescale,
                pg_dump=wrote,
                rows=database.count_rows(conn),
            )
            rows = sum(manifest.rows.values())
            say(f"dumping {rows:,} rows of {len(manifest.rows)} tables with {program}")
            command = (str(program), "--format=custom", f"--compress={COMPRESS}", f"--snapshot={name}", "--no-password")
            env = programs.environment(url, "backup")
            with file.new(part, manifest) as dump, programs.running(command, env, "stdout") as process:
                assert process.stdout is not None
                file.copy(process.stdout, dump, lambda done: say(f"… {done / MB:,.0f} MB"))
    say(f"{target}: {target.stat().st_size / MB:,.1f} MB, {rows:,} rows, schema {manifest.revision}")
