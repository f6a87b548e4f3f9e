"""A primary and a standby of the embedded PostgreSQL, made and promoted by the scripts of deploy/cluster/postgresql."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from siaga.stack import postgres, processes
from siaga.stack.ports import LOOPBACK
from tests.failure.proxy import Proxy
from tests.servers import DEPLOY, PASSWORD, Postgres
from tests.stack import until

SCRIPTS = DEPLOY / "cluster" / "postgresql"
FOLLOWS = "SELECT FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
REPLAYED = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"


def script(name: str, *arguments: str, identity: processes.Identity = "self", folder: Path | None = None) -> str:
    """Run one, with the embedded programs on the PATH; what it said. Raises AssertionError where it fails."""
    env = {**postgres.environment(os.environ), "PATH": f"{postgres.programs()}:{os.environ['PATH']}"}
    line = processes.through_child(
        ["/bin/sh", str(SCRIPTS / name), *arguments], signal.SIGKILL, identity, folder or Path.cwd()
    )
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    return done.stdout


class Primary(Postgres):
    """With siaga-cluster.conf, as both machines have it."""

    def _make(self, home: Path, env: Mapping[str, str], identity: processes.Identity) -> None:
        super()._make(home, env, identity)
        with (postgres.data_folder(home) / "postgresql.conf").open("a", encoding="utf-8") as config:
            config.write((SCRIPTS / "siaga-cluster.conf").read_text(encoding="utf-8"))

    def conninfo(self, port: int | None = None) -> str:
        return f"host={LOOPBACK} port={port or self.port} user={postgres.USER} password={PASSWORD}"

    @property
    def superuser(self) -> str:
        return f"{self.conninfo()} dbname=postgres"

    def follow(self, primary: Primary, name: str, port: int | None = None) -> None:
        """Become a standby of another and start; port: of a wire to it."""
        self.copy(primary, name, port)
        self.start()
        with primary.connect() as conn:
            until(lambda: conn.execute(FOLLOWS, (name,)).rowcount, f"{name} follows")

    def copy(self, primary: Primary, name: str, port: int | None = None) -> None:
        """As the server itself, which must not run, and as whom it would."""
        data = postgres.data_folder(self.folder)
        script("standby.sh", primary.conninfo(port), name, str(data), identity=self.identity, folder=self.folder)

    @property
    def is_primary(self) -> bool:
        with self.connect() as conn:
            return conn.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)

    def promote(self) -> None:
        script("promote.sh", self.superuser)

    def wait_for(self, *names: str) -> str:
        """From now on a commit is answered when one of these standbys has it."""
        return script("synchronous.sh", self.superuser, *names)

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)


class Standby(Primary):
    """Empty until it follows a primary."""

    def _make(self, home: Path, env: Mapping[str, str], identity: processes.Identity) -> None:
        """Nothing: standby.sh does."""


class Pair:
    """Two machines, the first of them the primary; the wire between them can be cut."""

    def __init__(self, folder: Path) -> None:
        self.first, self.second = Primary(folder / "db-1"), Standby(folder / "db-2")
        self.wire = Proxy(self.first.port)

    def start(self) -> None:
        self.first.start()
        self.second.follow(self.first, "siaga_db_2", self.wire.port)

    def stop(self) -> None:
        self.wire.close()
        for server in (self.first, self.second):
            server.kill()

    def url(self, database: str, *, reads: bool = False) -> str:
        """The one that takes writes, whichever it is; or for reading, the second first."""
        ports = [self.second.port, self.first.port] if reads else [self.first.port, self.second.port]
        places = ",".join(f"{LOOPBACK}:{port}" for port in ports)
        wanted = "" if reads else "?target_session_attrs=read-write"
        return f"postgresql://{postgres.USER}:{PASSWORD}@{places}/{database}{wanted}"


def caught_up(primary: Primary, standby: Primary) -> None:
    """Return when the standby shows all that the primary has written."""
    with primary.connect() as there, standby.connect() as here:
        row = there.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        assert row
        until(lambda: here.execute(REPLAYED, row).fetchone() == (True,), "the standby has replayed all")
