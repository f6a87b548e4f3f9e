"""Forecasts of siaga levels: made at every new reading, judged when the time has come, forgotten after a year.

Event time throughout: what came late, or while no worker ran, is walked through as if it had come in time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import psycopg

from alerts.forecast import Basis, bounds_of
from alerts.forecast_errors import Spread
from alerts.forecast_lag import HOLE_S, Source, learn_lag
from alerts.forecast_rise import STEADY_S, History
from alerts.forecast_walk import BACK_S, walk
from alerts.ladder import has_ladder
from devices.kind import Kind
from devices.kinds import KINDS
from runtime.log import get_logger
from storage import forecast_gauges, forecasts
from storage.forecast_gauges import Gauge, Span
from storage.forecasts import Looked
from worker.context import Context
from worker.forecast_alerts import close_unfit, judge

log = get_logger(__name__)

SLICE_S = 2.0
GAUGES_MAX = 250
# Whoever has more to catch up on does it a day at a time.
STEP_S = 86_400.0

LEARN_BACK = timedelta(days=90)
LEARN_AGAIN = timedelta(days=1)
PAIRS_MAX = 20


async def forecast(here: Context) -> float | None:
    """One round over all gauges that have something new; how long to rest where more is left."""
    return await forecast_at(here, datetime.now(UTC))


async def forecast_at(here: Context, now: datetime) -> float | None:
    """The round of a moment."""
    began = time.monotonic()
    async with here.pool.connection() as conn:
        await close_unfit(here, conn, now)
        for kind in _kinds():
            while gauges := await forecast_gauges.due(conn, kind, GAUGES_MAX):
                await _walk(here, conn, kind, gauges, now)
                if time.monotonic() - began > SLICE_S or here.stop.is_set():
                    return time.monotonic() - began
    return None


async def learn_lags(here: Context) -> float | None:
    """Learn anew, once a day, how long water takes from the gauges upstream; a rest where more are left."""
    now = datetime.now(UTC)
    async with here.pool.connection() as conn:
        for kind in _kinds():
            found = await forecast_gauges.pairs(conn, kind, now - LEARN_AGAIN, PAIRS_MAX)
            for device, upstream in found:
                up, down = [await forecast_gauges.levels(conn, kind, each, LEARN_BACK) for each in (upstream, device)]
                lag = await asyncio.to_thread(learn_lag, up, down)
                await forecasts.keep_lag(conn, device, upstream, lag, now)
                if lag is not None:
                    log.info("lag.learned", device=device, upstream=upstream, **lag._asdict())
            if len(found) == PAIRS_MAX:
                return SLICE_S
    return None


async def forget_forecasts(here: Context) -> None:
    """Delete forecasts that have had their time."""
    if not here.settings.forecast_keep_days:
        return
    before = datetime.now(UTC) - timedelta(days=here.settings.forecast_keep_days)
    async with here.pool.connection() as conn:
        while await forecasts.forget(conn, before) and not here.stop.is_set():
            pass


def _kinds() -> list[Kind]:
    return [kind for kind in KINDS.values() if has_ladder(kind)]


async def _walk(
    here: Context, conn: psycopg.AsyncConnection[Any], kind: Kind, gauges: Sequence[Gauge], now: datetime
) -> None:
    horizon_s, tell_since = here.settings.forecast_horizon_h * 3600, now.timestamp() - here.settings.live_window_s
    spans = [_span(gauge) for gauge in gauges]
    upstream = [_upstream(gauge, span) for gauge, span in zip(gauges, spans, strict=True)]
    wanted = [span._replace(since=span.since - BACK_S) for span in spans]
    read = await forecast_gauges.histories(conn, kind, [*wanted, *filter(None, upstream)])
    sources = _sources(gauges, upstream, read[len(gauges) :])
    errors = await forecasts.spreads(conn, [gauge.id for gauge in gauges])
    # In a thread: a day of many gauges takes a second.
    looked = await asyncio.to_thread(_look, gauges, spans, read, sources, errors, horizon_s, tell_since)
    async with conn.transaction():
        ours = await forecasts.write(conn, looked, horizon_s, now)
        told = {each.device_id: each.walk.told for each in looked if each.device_id in ours and each.walk.told}
        devices = [forecast_gauges.device(kind, gauge) for gauge in gauges if gauge.id in told]
        await judge(here, conn, devices, told, now)


def _span(gauge: Gauge) -> Span:
    """What is looked at in this round: a day at most."""
    return Span(gauge.id, gauge.seen_until, min(gauge.newest, gauge.seen_until + STEP_S))


def _upstream(gauge: Gauge, span: Span) -> Span | None:
    if gauge.lag is None:
        return None
    back_s = gauge.lag.lag_s + HOLE_S + STEADY_S
    return Span(gauge.attributes["upstream"], span.since - back_s, span.until)


def _sources(gauges: Sequence[Gauge], upstream: Sequence[Span | None], read: Sequence[History]) -> dict[str, Source]:
    """The gauges upstream, by the gauge that they are upstream of."""
    with_lag = [(gauge, span) for gauge, span in zip(gauges, upstream, strict=True) if span]
    return {
        gauge.id: Source(span.device_id, history, gauge.lag)
        for (gauge, span), history in zip(with_lag, read, strict=True)
        if gauge.lag
    }


def _look(
    gauges: Sequence[Gauge],
    spans: Sequence[Span],
    read: Sequence[History],
    sources: Mapping[str, Source],
    errors: Mapping[str, Mapping[Basis, Spread]],
    horizon_s: float,
    tell_since: float,
) -> list[Looked]:
    looked = []
    for gauge, span, history in zip(gauges, spans, read, strict=False):
        made = -inf if gauge.made is None else gauge.made
        found = walk(
            history, span.since, bounds_of(gauge.attributes), horizon_s, errors[gauge.id], sources.get(gauge.id),
            made, gauge.good_at, tell_since,
        )  # fmt: skip
        looked.append(Looked(gauge.id, span.until, found))
    return looked
