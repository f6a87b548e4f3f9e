"""Commands, presence, and the life of a device."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from storage.migrate import run_sql

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    run_sql(conn, Path(__file__).with_name("0021.sql"))
