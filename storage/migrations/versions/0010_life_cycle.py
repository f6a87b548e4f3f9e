"""The life cycle of an alert: shelving, suppression, windows of maintenance, assignment."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from storage.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    run_sql(conn, Path(__file__).with_name("0010.sql"))
