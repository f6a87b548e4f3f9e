"""TimescaleDB's community edition: compiled to WASM and published on npm, behind a server of ours in tests/pglite/.

python -m tests.community     fetches it, once; part of `make setup`
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psycopg
from psycopg import sql

from siaga.stack.ports import LOOPBACK
from tests.npm import find_node, install
from tests.servers import Server, answers, free_port, missing

HERE = Path(__file__).parent / "pglite"
INSTALLED = HERE / "node_modules" / ".package-lock.json"
CURE = "run `python -m tests.community`, with npm installed"


class Community(Server):
    """Every database is a PostgreSQL of its own with one back-end, which its clients take turns at; there are no jobs
    in the background. So nothing that needs two sessions at once can be tested on it."""

    def __init__(self, folder: Path) -> None:
        node = find_node()
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


def main() -> int:
    """0 once it is there, or where there is no npm to fetch it with: its tests say so themselves."""
    return install(HERE, "tests on TimescaleDB's community edition will be skipped")


if __name__ == "__main__":
    sys.exit(main())
