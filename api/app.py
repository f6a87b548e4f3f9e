"""The API as one application: endpoints, what every request passes, and what lives as long as it does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from api import openapi, problems
from api.context import Context, Pools, make_pools
from api.edge import Limited, Watched
from api.live import Live
from api.routes import (
    advice,
    alert_actions,
    alert_kpi,
    alerts,
    devices,
    docs,
    duty,
    forecasts,
    health,
    incident_file,
    incidents,
    kinds,
    latest,
    ledger,
    me,
    metrics,
    notices,
    pages,
    quarantine,
    readings,
    rules,
    series,
    session,
    stream,
    windows,
)  # fmt: skip
from runtime.settings import Settings

# /alerts/kpi, /alerts/advice, /alerts/groups and /alerts/shelves stand before /alerts/{alert_id}, which would take them
# for ids.
AREAS = (
    me, kinds, devices, latest, readings, metrics, series, alert_kpi, advice, alert_actions, incidents, alerts,
    incident_file, rules, windows, quarantine, ledger, forecasts, notices, duty, stream, session, health, docs, pages,
)  # fmt: skip
GZIP_FROM_BYTES = 1024
# Level 4 takes 3.5 MB of /latest to 9 % in 45 ms; level 9 to 8 % in 160 ms.
GZIP_LEVEL = 4


def create_app(settings: Settings, pools: Pools | None = None) -> FastAPI:
    """The application. Without pools it makes its own; either way it opens and closes them."""
    pools = pools or make_pools(settings)
    # Live events are few short queries, and must not come late because somebody draws a year.
    context = Context(settings, pools, Live(pools.writes, settings))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Not waited for: while the database is away we answer 503, which says more than no answer.
        for pool in pools:
            await pool.open(wait=False)
        follower = asyncio.create_task(context.live.follow(), name="live")
        try:
            yield
        finally:
            context.live.close()
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
            for pool in pools:
                await pool.close()

    app = FastAPI(
        title="Siaga",
        description=openapi.DESCRIPTION,
        version="1",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    # The only way in. FastAPI's own decorators would make routes that nobody is kept from.
    for area in AREAS:
        app.router.routes.extend(area.ENDPOINTS)
    problems.install(app)
    app.state.document = openapi.document(app, settings)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL)
    app.add_middleware(Limited, body_max_bytes=settings.body_max_bytes)
    app.add_middleware(Watched)
    return app
