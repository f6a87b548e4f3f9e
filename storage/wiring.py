"""Where devices hung from when to when: what a night or a day that is over is told by.

A row of device_history stands from its moment to that of the next; the first stands for all time before it too, as
nobody knows better. A correction is no move: it leaves one row, which has always stood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

# A device once for each place it had: since <= t < until.
PLACES = """(
    SELECT d.id, d.kind, d.lat, d.lon, h.district, h.attributes, h.since, h.until FROM device AS d JOIN (
        SELECT device_id, district, attributes,
            CASE WHEN lag(valid_from) OVER w IS NULL THEN '-infinity' ELSE valid_from END AS since,
            coalesce(lead(valid_from) OVER w, 'infinity') AS until
        FROM device_history WINDOW w AS (PARTITION BY device_id ORDER BY valid_from)
    ) AS h ON h.device_id = d.id
)"""
FORGET = """
DELETE FROM device_history WHERE device_id IN (
    SELECT device_id FROM device_history WHERE device_id = ANY (%s) GROUP BY device_id HAVING count(*) > 1)
RETURNING device_id
"""
BEGIN = """
INSERT INTO device_history (device_id, valid_from, region, district, attributes)
SELECT id, clock_timestamp(), region, district, attributes FROM device WHERE id = ANY (%s)
"""


async def correct(conn: psycopg.AsyncConnection[Any], devices: Sequence[str]) -> list[str]:
    """What these devices belong to now they have always belonged to; who of them had been told otherwise. In the
    caller's transaction."""
    rows = await (await conn.execute(FORGET, (list(devices),))).fetchall()
    corrected = sorted({device for (device,) in rows})
    await conn.execute(BEGIN, (corrected,))
    return corrected
