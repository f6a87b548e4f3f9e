"""kill -9 of the worker in the middle of a retention run: the next one comes to the end of a run nobody killed."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
from psycopg.conninfo import make_conninfo

from storage.flavour import Flavour, parts
from tests.servers import Postgres
from tests.storage.world import LAMP, NOW, World, minutes
from tests.whole import only_whole
from tests.worker.killed import Moment, kill_worker
from tests.worker.test_process import ask, running, until
from tests.worker.test_retain import FIRST, TABLE, Conn, digest, files, fill, left

MANY = f"""
INSERT INTO {TABLE} (device_id, ts, received_at, qc, qc_reason, power_w, energy_wh)
SELECT 'lamp', %(at)s + n * interval '1 s', %(at)s, 1, 0, n / 7.0, n * 3.1 FROM generate_series(1, 150000) AS n
"""
ALONE = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'siaga retention' AND datname = current_database()"


# By the name of the function that filled the database: what it ends as is the same every time.
_ENDS: dict[str, dict[str, Any]] = {}


async def end(world: World, folder: Path) -> dict[str, Any]:
    """All that retention changes, but for when."""
    return {
        "readings": await left(world),
        "parts": [p for p in await parts(world.conn, Flavour.PLAIN, TABLE) if p.since < NOW],
        "closed": await world.rows("SELECT * FROM closed ORDER BY 1, 2"),
        "archived": await world.rows(
            "SELECT table_name, since, until, file, rows, bytes, sha256, dropped_at IS NULL FROM archived ORDER BY file"
        ),
        "files": {each: digest(folder, each) for each in files(folder)},
    }


@pytest.fixture
async def undisturbed(postgres: Postgres, template: str, tmp_path: Path) -> AsyncIterator[Any]:
    """The end of a run that nobody kills, over a database filled by the function."""
    name = f"siaga_undisturbed_{os.getpid()}"
    url = postgres.create(name, template)
    world = await World.make(url, LAMP)

    async def run(filled: Callable[[World], Any]) -> dict[str, Any]:
        if known := _ENDS.get(filled.__name__):
            return known
        await filled(world)
        with running(url, SIAGA_ARCHIVE_DIR=str(tmp_path / "undisturbed")) as process:
            until(lambda: ask(url, "SELECT 1 FROM retention"))
            process.terminate()
            process.communicate(timeout=60)
        return _ENDS.setdefault(filled.__name__, await end(world, tmp_path / "undisturbed"))

    yield run
    await world.ground.close()
    postgres.drop(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "at",
    [
        pytest.param(Moment("closed", "IMMEDIATE", "notices"), id="before the drop"),
        pytest.param(Moment("closed", "DEFERRED", "notices"), id="before the commit", marks=only_whole),
        pytest.param(Moment("closed", "DEFERRED", "goes on"), id="at the commit"),
        pytest.param(Moment("archived", "IMMEDIATE", "notices"), id="before a file is recorded", marks=only_whole),
        pytest.param(Moment("archived", "IMMEDIATE", "goes on"), id="after a file is recorded"),
    ],
)
async def test_killed_and_run_again(world: World, other: Conn, undisturbed: Any, tmp_path: Path, at: Moment) -> None:
    wanted = await undisturbed(fill)
    await fill(world)
    folder = tmp_path / "killed"
    await kill_worker(world.url, other, at, SIAGA_ARCHIVE_DIR=str(folder))
    await run_to_the_end(world, folder)
    assert await end(world, folder) == wanted


@pytest.mark.slow
async def test_killed_in_the_middle_of_a_file_and_run_again(
    world: World, postgres: Postgres, undisturbed: Any, tmp_path: Path
) -> None:
    async def large(world: World) -> None:
        await fill(world)
        await world.conn.execute(MANY, {"at": FIRST + minutes(10)})

    wanted = await undisturbed(large)
    await large(world)
    folder = tmp_path / "killed"
    with Narrow(postgres.port, 14_500_000) as wire:
        url = make_conninfo(world.url, port=wire.port)
        with running(url, SIAGA_ARCHIVE_DIR=str(folder)) as process:
            part = until_found(lambda: next(folder.rglob("*.part"), None))
            until(lambda: wire.full.is_set() and part.stat().st_size > 100_000)  # a group of rows is in it
            process.kill()
            process.wait()
    assert files(folder) == {part.name: -1}
    await run_to_the_end(world, folder)
    assert await end(world, folder) == wanted


async def run_to_the_end(world: World, folder: Path) -> None:
    """By the process that is started next."""
    await world.conn.execute("DELETE FROM retention")
    until(lambda: not ask(world.url, ALONE))
    with running(world.url, SIAGA_ARCHIVE_DIR=str(folder)) as process:
        until(lambda: ask(world.url, "SELECT 1 FROM retention"))
        process.terminate()
        process.communicate(timeout=60)


def until_found(look: Callable[[], Path | None]) -> Path:
    until(lambda: look() is not None)
    found = look()
    assert found is not None
    return found


class Narrow:
    """A wire to a server on which a connection stalls when so many bytes have come from there."""

    def __init__(self, target: int, most: int) -> None:
        self._target, self._most = target, most
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.full = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes who reads from it
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open += [near, far]
                for source, sink, most in ((near, far, sys.maxsize), (far, near, self._most)):
                    threading.Thread(target=self._forward, args=(source, sink, most), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, most: int) -> None:
        with suppress(OSError):
            while most > 0 and (data := source.recv(65_536)):
                sink.sendall(data)
                most -= len(data)
            if most <= 0:
                self.full.set()
                return  # and nobody is told
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
