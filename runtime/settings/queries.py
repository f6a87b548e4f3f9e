"""How many queries the API has at once, and what one may go through."""

from __future__ import annotations

from runtime.settings.part import Part, setting


class QuerySettings(Part):
    """Connections, and the answers that many rows make."""

    # api (queries)
    read_connections: int = setting(
        10, "connections", "queries that read at once; those after them wait", ge=1, le=1_000
    )
    write_connections: int = setting(
        4,
        "connections",
        "connections for what must not wait for readers: acknowledging, imports, quarantine, sign-in, live events",
        ge=1,
        le=1_000,
    )
    connection_wait_s: float = setting(
        3, "s", "a request that gets no connection within this is answered 503", ge=0.1, le=600
    )
    query_rows_max: int = setting(
        5_000_000, "rows", "rollup rows that one answer of /metrics may be made of", ge=1_000, le=1_000_000_000
    )
    latest_max: int = setting(
        20_000, "items", "devices in one answer of /latest at most; more needs a cursor", ge=1, le=200_000
    )
    latest_back_days: int = setting(
        7, "days", "/latest?at= leaves out devices that had been silent for longer", ge=1, le=366
    )
    series_rows_max: int = setting(
        20_000,
        "rows",
        "rows that one answer of /series is drawn from; longer ranges use coarser rollups",
        ge=1_000,
        le=10_000_000,
    )
    series_points_max: int = setting(
        20_000, "points", "points in one answer of /series at most, of all devices and metrics", ge=10, le=1_000_000
    )
