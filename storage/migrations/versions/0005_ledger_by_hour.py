"""The ledger by hour of the whole fleet; payloads of quarantine that have had their time."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from storage.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    run_sql(conn, Path(__file__).with_name("0005.sql"))
