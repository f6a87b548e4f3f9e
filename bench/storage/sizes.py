"""Bytes on disk for a reading, by layout: with indexes, as each table is."""

from __future__ import annotations

from typing import Any

from devices.kinds import KINDS
from storage import flavour
from storage.connect import connect_async
from storage.flavour import current_async
from storage.kind_tables import STEPS, table_of

NARROW = "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::int8 FROM pg_partition_tree('ts_kv')"


async def measured(url: str, narrow_readings: int, narrow_values: int) -> dict[str, Any]:
    """Bytes a row of each table by kind and level, and a reading in the narrow table; rows are counted."""
    found: dict[str, Any] = {}
    async with await connect_async(url, "bench") as conn:
        on = await current_async(conn)
        for kind in KINDS.values():
            for level in STEPS:
                table = table_of(kind, level)
                row = await (await conn.execute(f"SELECT count(*) FROM {table}".encode())).fetchone()
                assert row
                if row[0]:
                    size = await flavour.size_of(conn, on, table)
                    found[table] = {"rows": row[0], "bytes": size, "bytes_a_row": size / row[0]}
        if narrow_readings:
            row = await (await conn.execute(NARROW)).fetchone()
            assert row
            found["narrow"] = {
                "rows": narrow_values, "bytes": row[0], "bytes_a_row": row[0] / narrow_values,
                "bytes_a_reading": row[0] / narrow_readings,
            }  # fmt: skip
    return found
