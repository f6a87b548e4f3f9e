"""The real servers that tests run against, started as `siaga up` starts them and with the files of deploy/."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import psycopg
import pytest
from psycopg import sql

from siaga.stack import broker, postgres, processes
from siaga.stack.ports import LOOPBACK, settle
from tests import debian

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
START_S = 60.0
PASSWORD = "only-in-tests"


def missing(what: str, cure: str) -> None:
    """Skip for want of a service; where CI is set that is a failure, as a green run must not have tested nothing."""
    text = f"{what} is not installed: {cure}"
    if os.environ.get("CI"):
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def answers(url: str) -> bool:
    """Whether the database lets us in."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


def free_port() -> int:
    return settle("--port", 0, None, None, set())


def memory_folder(free: int = 2 << 30) -> Path | None:
    """A folder in memory, if there is that much of it: databases for tests cost half as much there. What killed runs
    have left is cleared away."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < free:
        return None
    for left in memory.glob("siaga-tests-*-*"):
        if not Path("/proc", left.name.split("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"siaga-tests-{os.getpid()}-", dir=memory))


class Server:
    """One server process in a folder of its own; it can be killed and started again on the same port and data."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: Path, ready: Callable[[], bool]) -> None:
        self.command, self.env, self.folder, self.ready = tuple(command), dict(env), folder, ready
        self.identity: processes.Identity = "self"
        self.stop_signal = signal.SIGTERM
        self.before_start: Callable[[], None] = lambda: None
        self.log = folder.parent / f"{folder.name}.log"
        self.pid: int | None = None

    def start(self) -> None:
        self.before_start()
        self.pid = processes.spawn(self.command, self.env, self.log, signal.SIGKILL, self.identity, self.folder)
        deadline = time.monotonic() + START_S
        while not self.ready():
            ended = os.waitpid(self.pid, os.WNOHANG)[0]
            if ended or time.monotonic() > deadline:
                self.pid = None if ended else self.pid
                raise RuntimeError(f"{self.command[0]} does not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(self.stop_signal)

    def _end(self, number: signal.Signals) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)
            os.waitpid(self.pid, 0)
            self.pid = None


class Postgres(Server):
    """A PostgreSQL of the embedded wheel, without fsync: tests kill processes, not machines."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True)
        identity, version = postgres.choose_identity(home)
        env = postgres.environment(os.environ)
        self._make(home, env, identity)
        self.port = free_port()
        part = postgres.part(env, home, identity, version, self.port, PASSWORD)
        settings = {
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": 200,
            "max_wal_size": "256MB",
            # Copied files instead of copied blocks: a database for a test in 30 ms instead of 150.
            "file_copy_method": "clone",
        }
        quick = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        super().__init__((*part.command, *quick), part.env, home, lambda: part.ready() is not None)
        self.identity = identity
        self.stop_signal = signal.SIGINT
        self.before_start = part.before_start or self.before_start

    def _make(self, home: Path, env: Mapping[str, str], identity: processes.Identity) -> None:
        command = postgres.initdb_command(home, PASSWORD)
        # initdb as the server will run.
        line = processes.through_child(command, signal.SIGKILL, identity, home)
        subprocess.run(line, check=True, env=env, capture_output=True, timeout=120)
        postgres.finish_initdb(home)

    def kill(self) -> None:
        """Its back-ends are gone afterwards, too: they hold the shared memory that the next start asks for."""
        super().kill()
        processes.end_all(lambda: processes.leftovers(self.folder), START_S, after_poll=lambda: None)

    def url(self, database: str = "postgres") -> str:
        return postgres.url(self.port, PASSWORD, database)

    def create(self, database: str, template: str = "template1") -> str:
        with psycopg.connect(self.url(), autocommit=True) as conn:
            conn.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    sql.Identifier(database), sql.Identifier(template)
                )
            )
        return self.url(database)

    def drop(self, database: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


class Timescale(Server):
    """TimescaleDB (Apache licence) of a Debian, in the root that tests/debian.py makes.

    trixie has PostgreSQL 17 with TimescaleDB 2.19, forky 18 with 2.31. Its databases belong to a role without special
    rights, as in production. Where user namespaces are allowed it runs by the root's own loader with its data in memory
    (a new database in 15 ms), else by chroot with its data in the root, on a disk (up to 500 ms).
    """

    MAJOR: ClassVar = {"trixie": "17", "forky": "18"}

    def __init__(self, suite: Literal["trixie", "forky"] = "trixie") -> None:
        self.root = debian.root(suite)
        self.bin = f"/usr/lib/postgresql/{self.MAJOR[suite]}/bin"
        if os.geteuid() != 0 or not (self.root / self.bin[1:]).is_dir():
            missing(f"TimescaleDB of Debian {suite}", debian.CURE)
        self.home = Path(tempfile.mkdtemp(prefix="siaga-", dir=self.root / "tmp"))
        self.kept = self.home
        self.home.chmod(0o777)  # the server's user makes its folder in it
        data = Path("/", self.home.relative_to(self.root), "data")
        inside = debian.inside(suite, "postgres", "INT")
        self._make(inside, data)
        self.port = free_port()
        settings = {
            "listen_addresses": LOOPBACK, "port": self.port, "unix_socket_directories": "", "fsync": "off",
            "full_page_writes": "off", "dynamic_shared_memory_type": "mmap", "timezone": "UTC",
            "shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off",
            # Jobs would be connected to the databases that are templates. The Apache licence has none that we need.
            "timescaledb.max_background_workers": 0,
        }  # fmt: skip
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        program: Sequence[str] = (*inside, f"{self.bin}/postgres")
        identity: processes.Identity = "self"
        if memory := self._in_memory(suite):
            program, data, identity = memory
        super().__init__((*program, "-D", str(data), *given), env, self.home, lambda: answers(self.url()))
        self.identity = identity
        self.stop_signal = signal.SIGINT

    def url(self, database: str = "postgres", user: str = postgres.USER) -> str:
        return f"postgresql://{user}:{PASSWORD}@{LOOPBACK}:{self.port}/{database}"

    def create(self, database: str, template: str = "template1", owner: str = "owner") -> str:
        role = sql.Identifier(owner)
        with psycopg.connect(self.url(), autocommit=True) as conn:
            if not conn.execute("SELECT FROM pg_roles WHERE rolname = %s", (owner,)).rowcount:
                conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(PASSWORD)))
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY")
            conn.execute(statement.format(sql.Identifier(database), sql.Identifier(template), role))
        return self.url(database, owner)

    def drop(self, database: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.kept, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def _in_memory(self, suite: str) -> tuple[Sequence[str], Path, processes.Identity] | None:
        """Bring the data into memory: the program that serves them there, where they are, and as whom it runs."""
        program = debian.program(suite, f"{self.bin[1:]}/postgres")
        folder = memory_folder()
        if program is None or folder is None:
            return None
        home = folder / "home"
        home.mkdir()
        identity, _ = postgres.choose_identity(home)
        if identity != "namespace":  # whoever else it would be may not look into root's cache
            shutil.rmtree(folder)
            return None
        data = Path(shutil.copytree(self.home / "data", home / "data"))
        data.chmod(0o700)
        shutil.rmtree(self.home)
        self.home, self.kept = home, folder
        return program, data, identity

    def _make(self, inside: Sequence[str], data: Path) -> None:
        password = self.home / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        line = (
            *inside, f"{self.bin}/initdb", "-D", str(data), f"--username={postgres.USER}", "--auth=scram-sha-256",
            f"--pwfile={Path('/', password.relative_to(self.root))}", "--encoding=UTF8", "--locale=C.UTF-8",
        )  # fmt: skip
        subprocess.run(line, check=True, capture_output=True, timeout=120, env={"PATH": os.environ["PATH"]})


def with_tls(certificate: Path, key: Path) -> dict[str, str]:
    """What to replace in siaga.conf for a server with TLS, where secured.conf and its users are not wanted."""
    return {"# Without TLS, so for loopback;": f'tls {{ cert_file: "{certificate}", key_file: "{key}" }} #'}


class Nats(Server):
    """The NATS server with deploy/nats/siaga.conf, or with pieces of it changed (its text → another)."""

    def __init__(self, folder: Path, changes: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True)
        self.port, self.monitor_port = free_port(), free_port()
        part = broker.part(os.environ, self.port, PASSWORD, folder, self.monitor_port)
        command = list(part.command)
        if changes:
            written = Path(command[-1]).read_text(encoding="utf-8")
            for text, other in changes.items():
                assert text in written, f"deploy/nats/siaga.conf has no {text!r}"
                written = written.replace(text, other)
            config = folder.parent / f"{folder.name}.conf"
            config.write_text(written, encoding="utf-8")
            command[-1] = str(config)
        super().__init__(command, part.env, folder, lambda: part.ready() is not None)

    @property
    def url(self) -> str:
        return broker.url(self.port, PASSWORD)


class Mosquitto(Server):
    """Mosquitto with a file of deploy/mosquitto; only paths and port are put in.

    Version 2.0 is the machine's own. 2.1 is that of the Debian root which tests/debian.py makes, run by the root's own
    loader: no chroot, so any user may run it.
    """

    def __init__(self, folder: Path, version: Literal["2.0", "2.1"] = "2.0", config: str = "mosquitto.conf") -> None:
        program = own_mosquitto() if version == "2.0" else debian.program("forky", "usr/sbin/mosquitto")
        if program is None:
            missing(f"Mosquitto {version}", "apt-get install mosquitto" if version == "2.0" else debian.CURE)
            raise AssertionError("unreachable")
        folder.mkdir(parents=True)
        passwords = folder / "passwd"
        tool = shutil.which("mosquitto_passwd") or "mosquitto_passwd"
        subprocess.run([tool, "-b", "-c", passwords, broker.USER, PASSWORD], check=True, capture_output=True)
        self.port = free_port()
        written = (DEPLOY / "mosquitto" / config).read_text(encoding="utf-8")
        plugins = next(debian.root("forky").glob("usr/lib/*/mosquitto"), Path("/usr/lib/x86_64-linux-gnu/mosquitto"))
        for line, own in (
            ("listener 1883 127.0.0.1", f"listener {self.port} {LOOPBACK}"),
            ("password_file /etc/mosquitto/siaga.passwd", f"password_file {passwords}"),
            ("persistence_location /var/lib/mosquitto/", f"persistence_location {folder}/"),
        ):
            assert line in written, f"deploy/mosquitto/{config} has no line {line!r}"
            written = written.replace(line, own)
        written = written.replace("global_plugin /usr/lib/x86_64-linux-gnu/mosquitto", f"global_plugin {plugins}")
        # As root it would become the user `mosquitto`, who may not write here.
        file = folder / "mosquitto.conf"
        file.write_text(written + ("\nuser root\n" if os.geteuid() == 0 else ""), encoding="utf-8")
        super().__init__(
            (*program, "-c", str(file)),
            os.environ,
            folder,
            lambda: broker.accepts(LOOPBACK, self.port, broker.USER, PASSWORD),
        )

    @property
    def url(self) -> str:
        return broker.url(self.port, PASSWORD)

    def over_websockets(self) -> str:
        """Listen for websockets too, from the next start on; the URL."""
        port = free_port()
        with Path(self.command[-1]).open("a", encoding="utf-8") as config:
            config.write(f"\nlistener {port} {LOOPBACK}\nprotocol websockets\n")
        return f"ws://{broker.USER}:{PASSWORD}@{LOOPBACK}:{port}/mqtt"


def mosquitto21(folder: Path) -> Mosquitto:
    """Mosquitto 2.1 as durable as it can be: with the SQLite plugin, written at once."""
    return Mosquitto(folder, "2.1", "mosquitto-2.1.conf")


def own_mosquitto() -> tuple[str, ...] | None:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return (program,) if program else None


class Amqtt(Server):
    """aMQTT, a broker in Python that shares no code with the others; it keeps sessions in memory only."""

    def __init__(self, folder: Path) -> None:
        program = Path(sys.executable).with_name("amqtt")
        if not program.exists():
            missing("amqtt", "pip install amqtt")
        folder.mkdir(parents=True)
        self.port = free_port()
        # JSON is YAML. It takes any user and password; the session of an anonymous client it would not keep.
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{self.port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": False}},
        }
        file = folder / "amqtt.yaml"
        file.write_text(json.dumps(config), encoding="utf-8")
        super().__init__(
            (str(program), "-c", str(file)),
            os.environ,
            folder,
            lambda: broker.accepts(LOOPBACK, self.port, broker.USER, PASSWORD),
        )

    @property
    def url(self) -> str:
        return broker.url(self.port, PASSWORD)
