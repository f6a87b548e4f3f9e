"""The API as one application: endpoints, what every request passes, and what lives as long as it does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from api import addresses, openapi, problems
from api.audiences import Audiences
from api.context import Context, Pools, make_pools
from api.deadline import Deadline
from api.edge import Limited, Watched
from api.forwarded import Forwarded
from api.head import Headed
from api.limits import RateLimited, Rates
from api.routes import (
    advice,
    alert_actions,
    alert_kpi,
    alerts,
    audit,
    commands,
    credentials,
    devices,
    docs,
    duty,
    forecasts,
    handover,
    health,
    inbox,
    incident_file,
    incidents,
    keys,
    kinds,
    latest,
    ledger,
    life,
    me,
    metrics,
    notices,
    oidc,
    pages,
    quarantine,
    readings,
    rivers,
    rules,
    series,
    session,
    stream,
    streetlights,
    traffic,
    users,
    wall,
    windows,
)  # fmt: skip
from api.routes import problems as problem_pages
from runtime.settings import Settings

# /alerts/kpi, /alerts/advice, /alerts/groups and /alerts/shelves stand before /alerts/{alert_id}, which would take them
# for ids; wall before pages, which has the same address without a key.
AREAS = (
    me, kinds, devices, commands, credentials, life, latest, readings, inbox, metrics, series, streetlights, traffic,
    alert_kpi, advice, alert_actions, incidents, alerts, incident_file, rules, windows, quarantine, ledger, forecasts,
    rivers, notices, duty, handover, stream, session, oidc, users, keys, audit, health, docs, problem_pages, wall,
    pages,
)  # fmt: skip
GZIP_FROM_BYTES = 1024
# Level 4 takes 3.5 MB of /latest to 9 % in 45 ms; level 9 to 8 % in 160 ms. From 128 KB on it is done in a thread.
GZIP_LEVEL = 4
CORS_METHODS = ("GET", "POST", "PUT", "DELETE")
CORS_SENT = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Last-Event-ID")
CORS_SHOWN = (
    "Deprecation", "ETag", "Link", "RateLimit", "RateLimit-Policy", "Retry-After", "Sunset", "X-Request-Id",
)  # fmt: skip


def create_app(settings: Settings, pools: Pools | None = None) -> FastAPI:
    """The application. Without pools it makes its own; either way it opens and closes them."""
    pools = pools or make_pools(settings)
    context = Context(settings, pools, Audiences(pools, settings))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Not waited for: while the database is away we answer 503, which says more than no answer.
        for pool in pools:
            await pool.open(wait=False)
        try:
            yield
        finally:
            await context.audiences.end()
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
    app.state.document = openapi.made_when_asked(app, settings)
    addresses.distinguish(app.routes)
    _surround(app, settings)
    return app


def _surround(app: FastAPI, settings: Settings) -> None:
    """What every request passes, from the inside out."""
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL)
    app.add_middleware(Limited, body_max_bytes=settings.body_max_bytes)
    app.add_middleware(Headed)
    app.add_middleware(Deadline, seconds=settings.request_timeout_s)
    app.add_middleware(RateLimited, rates=Rates(settings.rate_key_per_min, settings.rate_address_per_min))
    if settings.origins:
        # Without credentials: pages of other sites use a key, never the cookie of whoever looks at them.
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.origins, allow_methods=CORS_METHODS, allow_headers=CORS_SENT,
            expose_headers=CORS_SHOWN,
        )  # fmt: skip
    app.add_middleware(Watched, access_log=settings.access_log)
    app.add_middleware(Forwarded, proxies=settings.proxies)
