"""Forecasts of gauges as the worker writes them: what was made, what came of it, how far it has looked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from alerts.forecast import Basis, Expected, Forecast
from alerts.forecast_errors import ERRORS_MAX, ERRORS_MIN, MARGIN_S, QUANTILES, RISES_MIN, Spread
from alerts.forecast_lag import Lag
from alerts.forecast_rise import Reason
from alerts.forecast_walk import Crossing, Gap, Walk

# One worker at a time: two would write the same, and wait for each other's rows.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('siaga forecasts', 0))"
# A forecast that is there already was made of the same reading.
KEEP = """
INSERT INTO forecast SELECT * FROM jsonb_populate_recordset(NULL::forecast, %s) ON CONFLICT DO NOTHING
"""
# The newest of a gauge holds, if any: those before it do not, once there is a newer one or nothing is coming any more.
LET_GO = """
UPDATE forecast AS f SET holds = false FROM unnest(%s::text[], %s::timestamptz[]) AS g (id, since)
WHERE f.device_id = g.id AND f.holds AND f.as_of < g.since
"""
CROSSED = """
INSERT INTO forecast_crossing (device_id, siaga, at) VALUES (%(device)s, %(siaga)s, %(at)s) ON CONFLICT DO NOTHING
"""
HIT = f"""
UPDATE forecast SET outcome = 'hit', reached_at = %(at)s, error = ln(
    (extract(epoch FROM %(at)s - as_of)::float8 + {MARGIN_S})
    / (extract(epoch FROM expected_at - as_of)::float8 + {MARGIN_S}))
WHERE device_id = %(device)s AND siaga = %(siaga)s AND outcome IS NULL AND as_of < %(at)s AND until >= %(at)s
"""
UNSEEN = """
UPDATE forecast SET outcome = 'unknown'
WHERE device_id = %(device)s AND outcome IS NULL AND as_of <= %(since)s AND until > %(since)s
"""
# By the last usable reading, not by the clock: in between nobody looked.
PASSED = """
UPDATE forecast AS f SET outcome = 'false' FROM unnest(%s::text[], %s::timestamptz[]) AS g (id, good_at)
WHERE f.device_id = g.id AND f.outcome IS NULL AND f.until < g.good_at
"""
# Of gauges that never came back.
FORSAKEN = """
UPDATE forecast SET outcome = 'unknown' WHERE outcome IS NULL AND until < %(before)s AND made_at < %(before)s
"""
SEEN = """
INSERT INTO forecast_seen AS s (device_id, seen_until, good_at, refused, refused_at)
SELECT id, seen_until, good_at, refused, CASE WHEN refused IS NOT NULL THEN seen_until END
FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[]) AS g (id, seen_until, good_at, refused)
ON CONFLICT (device_id) DO UPDATE SET seen_until = excluded.seen_until, good_at = excluded.good_at,
    refused = excluded.refused, refused_at = CASE WHEN s.refused = excluded.refused THEN s.refused_at
                                                  ELSE excluded.refused_at END
WHERE s.seen_until < excluded.seen_until
RETURNING device_id
"""
# The middle 80 % of the newest errors of a gauge, of all gauges ('') where it has too few.
SPREADS = f"""
SELECT g.id, e.basis, percentile_cont({QUANTILES[0]}) WITHIN GROUP (ORDER BY e.error),
    percentile_cont({QUANTILES[1]}) WITHIN GROUP (ORDER BY e.error)
FROM unnest(%s::text[]) AS g (id), LATERAL (
    SELECT basis, error, siaga, reached_at FROM forecast
    WHERE device_id = g.id AND error IS NOT NULL ORDER BY as_of DESC LIMIT {ERRORS_MAX}) AS e
GROUP BY g.id, e.basis HAVING count(*) >= {ERRORS_MIN} AND count(DISTINCT (e.siaga, e.reached_at)) >= {RISES_MIN}
UNION ALL
SELECT '', e.basis, percentile_cont({QUANTILES[0]}) WITHIN GROUP (ORDER BY e.error),
    percentile_cont({QUANTILES[1]}) WITHIN GROUP (ORDER BY e.error)
FROM (SELECT device_id, basis, error, siaga, reached_at FROM forecast WHERE error IS NOT NULL
      ORDER BY as_of DESC LIMIT {10 * ERRORS_MAX}) AS e
GROUP BY e.basis HAVING count(*) >= {ERRORS_MIN} AND count(DISTINCT (e.device_id, e.siaga, e.reached_at)) >= {RISES_MIN}
"""
# What was learned once stays until something else is learned: rises leave the range, rivers do not.
KEEP_LAG = """
INSERT INTO forecast_lag AS g (device_id, upstream, lag_s, gain, alike, waves, earliest_s, latest_s, looked_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (device_id) DO UPDATE SET upstream = excluded.upstream, looked_at = excluded.looked_at,
    (lag_s, gain, alike, waves, earliest_s, latest_s) = (
        SELECT n.lag_s, n.gain, n.alike, n.waves, n.earliest_s, n.latest_s FROM (VALUES
            (1, excluded.lag_s, excluded.gain, excluded.alike, excluded.waves, excluded.earliest_s, excluded.latest_s),
            (2, g.lag_s, g.gain, g.alike, g.waves, g.earliest_s, g.latest_s))
            AS n (place, lag_s, gain, alike, waves, earliest_s, latest_s)
        WHERE n.place = CASE WHEN excluded.lag_s IS NULL AND g.upstream = excluded.upstream THEN 2 ELSE 1 END)
"""
FORGET = """
DELETE FROM forecast WHERE ctid = ANY (ARRAY(SELECT ctid FROM forecast WHERE as_of < %s LIMIT %s))
"""
FORGET_CROSSINGS = "DELETE FROM forecast_crossing WHERE at < %s"
AT_ONCE = 10_000
FORSAKEN_AFTER = timedelta(days=2)


class Looked(NamedTuple):
    """What a walk along the readings of a gauge up to seen_until (epoch s) has found."""

    device_id: str
    seen_until: float
    walk: Walk


async def write(
    conn: psycopg.AsyncConnection[Any], looked: Sequence[Looked], horizon_s: float, made_at: datetime
) -> set[str]:
    """All of it in one transaction: killed anywhere, the next run finds what this one found.

    The gauges that nobody has looked so far at before: of those of two workers, each is the first one's.
    """
    if not looked:
        return set()
    ids, seen_until, good_at, refused = map(list, zip(*map(_seen, looked), strict=True))
    rows = [row for each in looked for row in _rows(each, horizon_s, made_at)]
    held = [(each.device_id, since) for each in looked if (since := _holds_since(each)) is not None]
    async with conn.transaction(), conn.cursor() as cursor:
        await cursor.execute(LOCK)
        if rows:
            await cursor.execute(KEEP, (Jsonb(rows),))
        await cursor.execute(LET_GO, ([device for device, _ in held], [since for _, since in held]))
        for each in looked:
            for event in each.walk.events:
                await _judge(cursor, each.device_id, event)
        await cursor.execute(PASSED, (ids, good_at))
        await cursor.execute(FORSAKEN, {"before": made_at - FORSAKEN_AFTER})
        await cursor.execute(SEEN, (ids, seen_until, good_at, refused))
        return {device for (device,) in await cursor.fetchall()}


async def spreads(conn: psycopg.AsyncConnection[Any], ids: Sequence[str]) -> dict[str, dict[Basis, Spread]]:
    """Past errors by gauge and basis; those of all gauges together where it has too few of its own."""
    found: dict[str, dict[Basis, Spread]] = {}
    async for device, basis, low, high in await conn.execute(SPREADS, (list(ids),)):
        found.setdefault(device, {})[basis] = Spread(low, high)
    everybody = found.get("", {})
    return {device: everybody | found.get(device, {}) for device in ids}


async def keep_lag(
    conn: psycopg.AsyncConnection[Any], device_id: str, upstream: str, lag: Lag | None, looked_at: datetime
) -> None:
    """Keep what was learned of the gauge upstream; of None, that somebody looked."""
    await conn.execute(KEEP_LAG, (device_id, upstream, *(lag or (None,) * len(Lag._fields)), looked_at))


async def forget(conn: psycopg.AsyncConnection[Any], before: datetime) -> int:
    """Delete some forecasts and all crossings before a time; how many forecasts it were, 0 when none is left."""
    await conn.execute(FORGET_CROSSINGS, (before,))
    return (await conn.execute(FORGET, (before, AT_ONCE))).rowcount


async def _judge(cursor: psycopg.AsyncCursor[Any], device_id: str, event: Crossing | Gap) -> None:
    if isinstance(event, Gap):
        await cursor.execute(UNSEEN, {"device": device_id, "since": _time(event.since)})
        return
    values = {"device": device_id, "siaga": event.siaga, "at": _time(event.at)}
    await cursor.execute(CROSSED, values)
    await cursor.execute(HIT, values)


def _rows(looked: Looked, horizon_s: float, made_at: datetime) -> Iterator[dict[str, Any]]:
    for told in looked.walk.forecasts:
        for level in told.levels:
            yield _row(looked.device_id, told, level, horizon_s, made_at)


def _row(device_id: str, told: Forecast, level: Expected, horizon_s: float, made_at: datetime) -> dict[str, Any]:
    """A whole row of the table, as JSON has it."""
    at = told.rise.at
    by_upstream = level.basis == "upstream"
    times = {
        "as_of": at,
        "expected_at": at + level.after_s,
        "earliest": at + level.from_s,
        "latest": at + level.to_s,
        "until": at + horizon_s,
    }
    return {
        "device_id": device_id,
        "siaga": level.bound.siaga,
        "bound_m": level.bound.level_m,
        "level_m": round(told.rise.level_m, 4),
        "slope_m_h": round(told.rise.slope_m_h, 4),
        "points": told.rise.points,
        "basis": level.basis,
        "upstream": told.upstream if by_upstream else None,
        "lag_s": told.lag_s if by_upstream else None,
        "rose_m": told.rose_m if by_upstream else None,
        "stage": level.stage,
        "holds": True,
        "made_at": made_at.isoformat(),
        **{name: _time(epoch_s).isoformat() for name, epoch_s in times.items()},
    }


def _holds_since(looked: Looked) -> datetime | None:
    """Forecasts before that hold no longer; None where all stays as it was."""
    walk = looked.walk
    if not walk.holds:
        return _time(looked.seen_until) + timedelta(microseconds=1)
    return _time(walk.forecasts[-1].rise.at) if walk.forecasts else None


def _seen(looked: Looked) -> tuple[str, datetime, datetime | None, Reason | None]:
    good_at = looked.walk.good_at
    return looked.device_id, _time(looked.seen_until), None if good_at is None else _time(good_at), looked.walk.refused


def _time(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
