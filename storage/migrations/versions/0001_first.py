"""The first schema: our fixed tables, and Procrastinate's, which are our outbox."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from alembic import op

from storage.migrate import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    run_sql(conn, Path(__file__).with_name("0001.sql"))
    with as_file(files("procrastinate") / "sql" / "schema.sql") as schema:
        run_sql(conn, schema)
