"""TimescaleDB's community edition: compiled to WASM and published on npm, behind a server of ours in tests/pglite/.

python -m tests.community     fetches it, once; part of `make setup`
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg import sql

from api.vendor import NPM_CI, find_npm
from siaga.stack.ports import LOOPBACK
from tests.servers import Server, answers, free_port, missing

HERE = Path(__file__).parent / "pglite"
INSTALLED = HERE / "node_modules" / ".package-lock.json"
CURE = "run `python -m tests.community`, with npm installed"
FETCH_S = 300


class Community(Server):
    """Every database is a PostgreSQL of its own with one back-end, which its clients take turns at; there are no jobs
    in the background. So nothing that needs two sessions at once can be tested on it."""

    def __init__(self, folder: Path) -> None:
        node = _node()
        if node is None or not INSTALLED.exists():
            missing("TimescaleDB's community edition", CURE)
        folder.mkdir(parents=True)
        self.port = free_port()
        command = (node or "node", str(HERE / "serve.js"), str(self.port))
        super().__init__(command, os.environ, folder, lambda: answers(self.url()))

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://anybody:any@{LOOPBACK}:{self.port}/{database}"

    def create(self, database: str, template: str = "template1") -> str:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with psycopg.connect(self.url(), autocommit=True) as conn:
            conn.execute(statement.format(sql.Identifier(database), sql.Identifier(template)))
        return self.url(database)

    def drop(self, database: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(database)))


def _node() -> str | None:
    """node of the system, else the one that npm came with."""
    found = shutil.which("node")
    if found:
        return found
    npm = find_npm()
    return npm[0] if npm and npm[0].endswith("node") else None


def main() -> int:
    """0 once it is there, or where there is no npm to fetch it with: its tests say so themselves."""
    npm = find_npm()
    wanted = HERE / "package-lock.json"
    if INSTALLED.exists() and INSTALLED.stat().st_mtime >= wanted.stat().st_mtime:
        return 0
    if npm is None:
        print("npm is missing: tests on TimescaleDB's community edition will be skipped", file=sys.stderr)
        return 0
    # npm finds node by PATH, also the one it came with.
    path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])
    subprocess.run([*npm, *NPM_CI], check=True, cwd=HERE, env=os.environ | {"PATH": path}, timeout=FETCH_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
