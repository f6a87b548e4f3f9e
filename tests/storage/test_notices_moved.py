"""The change from one setting to a plan: what was told, what was to be told and what had failed is all still there."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from alembic import command

from storage import scope
from storage.migrate import migrate

pytestmark = pytest.mark.parametrize("server_name", ["plain"], indirect=True)

ALERT = """
INSERT INTO alert (rule, device_id, kind, severity, peak_severity, active, historical, raised_at, detected_at, told)
VALUES ('siaga', %s, 'water_level', 2, 2, %s, false, now(), now(), true) RETURNING id
"""
TRANSITION = """
INSERT INTO transition (alert_id, what, to_severity, event_at, detected_at)
VALUES (%s, %s, 2, now(), now()) RETURNING id
"""
JOB = """
INSERT INTO procrastinate_jobs (queue_name, task_name, status, args)
VALUES ('notices', 'notify', %s, jsonb_build_object('transition_id', %s::bigint))
"""


def one(conn: psycopg.Connection, query: str, *values: Any) -> int:
    row = conn.execute(query.encode(), values).fetchone()
    assert row
    return int(row[0])


def test_nothing_is_lost(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        upgrade = command.upgrade
        patch.setattr(command, "upgrade", lambda config, _: upgrade(config, "0012"))
        patch.setattr(scope, "make", lambda conn: None)  # views of tables that are yet to come
        migrate(empty_database_url, lambda line: None)
    with psycopg.connect(empty_database_url, autocommit=True) as conn:
        stands, over, waits = (one(conn, ALERT, name, name != "over") for name in ("stands", "over", "waits"))
        told = one(conn, TRANSITION, stands, "raised")
        conn.execute(
            "INSERT INTO notice (transition_id, channel, tries, sent_at, gave_up, error)"
            " VALUES (%(id)s, '1 json', 1, now(), false, NULL), (%(id)s, '2 json', 19, NULL, true, '404')",
            {"id": told},
        )
        conn.execute(JOB, ("succeeded", told))
        conn.execute(JOB, ("todo", one(conn, TRANSITION, over, "cleared")))
        late = one(conn, TRANSITION, waits, "worsened")
        conn.execute(JOB, ("doing", late))
        migrate(empty_database_url, lambda line: None)
        sent = conn.execute(
            "SELECT d.channel, d.what, d.sent_at IS NOT NULL, d.gave_up, x.alert_id FROM delivery AS d"
            " JOIN delivery_alert AS x ON x.delivery_id = d.id ORDER BY d.id"
        ).fetchall()
        assert sent == [("1 json", "raised", True, False, stands), ("2 json", "raised", False, True, stands)]
        pages = conn.execute("SELECT alert_id FROM page WHERE open ORDER BY 1").fetchall()
        assert pages == [(stands,), (over,), (waits,)]
        assert conn.execute("SELECT * FROM notice_outbox").fetchall() == [(late, "worse")]
        assert one(conn, "SELECT count(*) FROM procrastinate_jobs") == 0
