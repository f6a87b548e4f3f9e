"""Times as JSON text made by the database, so that large answers pass through the API unparsed."""

from __future__ import annotations

from datetime import UTC, datetime


def time_sql(column: str) -> str:
    """A timestamptz as RFC 3339 text with Z; the session's zone is UTC (storage/connect.py)."""
    return f"replace(trim('\"' FROM to_json({column})::text), '+00:00', 'Z')"


def time_text(at: datetime) -> str:
    """The same for a time in our hands."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
