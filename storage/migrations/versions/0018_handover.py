"""Handovers of a shift."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from storage.migrate import run_sql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    run_sql(conn, Path(__file__).with_name("0018.sql"))
