"""The event log: rows of `transition` whose ids are in commit order, so that a cursor never skips one.

Order holds because whoever inserts takes one advisory lock first and keeps it until commit. Insert as the last step.
"""

from __future__ import annotations

# "siaga ev" in ASCII: any constant does, as long as nobody else in this database uses it.
LOCK = "SELECT pg_advisory_xact_lock(x'7369616761206576'::bigint)"

INSERT = """
INSERT INTO transition (alert_id, what, from_severity, to_severity, siaga, event_at, detected_at, who, why, value)
VALUES (%(alert_id)s, %(what)s, %(from_severity)s, %(to_severity)s, %(siaga)s, %(event_at)s, %(detected_at)s,
        %(who)s, %(why)s, %(value)s)
RETURNING id
"""
