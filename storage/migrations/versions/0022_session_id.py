"""What sessions of ingest are called at the broker."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from storage.migrate import run_sql

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    run_sql(conn, Path(__file__).with_name("0022.sql"))
