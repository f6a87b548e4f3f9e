"""Commands and devices that moved since the last look, by the time at which their rows were written.

That time is taken before the commit, so each look goes back a little and leaves out what it has told already. What is
told is the row of now: a device that flaps is told once a look, whatever it does meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg

from api.wanted import Topic
from storage import commands, presence
from storage.read_alerts import Row

# Longer than a commit takes; who was away for longer finds it in the lists.
BACK = timedelta(seconds=15)


NOW = "SELECT clock_timestamp()"  # the database's: it wrote the rows


class Moved:
    """Where one follower stands; it begins with its first look."""

    def __init__(self) -> None:
        self._since: dict[Topic, datetime] = {}
        self._told: dict[tuple[Topic, str], datetime] = {}

    async def look(self, conn: psycopg.AsyncConnection[Any], most: int) -> list[tuple[Topic, Row]]:
        """What moved, oldest first, at most so many of a topic; the rest comes with the next look."""
        found: list[tuple[Topic, Row]] = []
        topics: tuple[tuple[Topic, Any, str], ...] = (
            ("command", commands.changed_since, "id"),
            ("presence", presence.changed_since, "device_id"),
        )
        if not self._since:
            row = await (await conn.execute(NOW)).fetchone()
            assert row is not None
            self._since = dict.fromkeys(("command", "presence"), row[0] - BACK)
        for topic, changed_since, name in topics:
            since = self._since[topic]
            rows = await changed_since(conn, since, most)
            for row in rows:
                moved = row.pop("moved")
                if self._told.get((topic, row[name])) != moved:
                    self._told[topic, row[name]] = moved
                    found.append((topic, row))
            if rows:
                # Behind a full answer there is more: on from its end.
                self._since[topic] = moved if len(rows) == most else max(since, moved - BACK)
        oldest = min(self._since.values())
        self._told = {key: at for key, at in self._told.items() if at > oldest}
        return found
