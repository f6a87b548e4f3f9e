"""For supervisors and monitoring: is this process alive, is the whole installation ready, what does it count."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import psycopg
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from api import context, metrics, shapes
from api.auth import Endpoints
from api.problems import RETRY_AFTER_S
from api.reply import encode, reply
from storage import parts
from storage.as_json import time_text

ENDPOINTS = Endpoints()
# Shorter than a database takes to restart: a longer wait would answer 200 as if nothing had been.
WAIT_S = 0.5
NOT_READY = {
    "responses": {"503": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ready"}}}}}
}


@ENDPOINTS.get("/healthz", role="anyone", answer=shapes.Alive)
async def show_health() -> Response:
    """200 as long as this process answers."""
    return reply('{"status":"ok"}')


@ENDPOINTS.get("/readyz", role="anyone", answer=shapes.Ready, extra=NOT_READY)
async def show_readiness(request: Request) -> Response:
    """200 only if every part of the installation is up and has said so within the last 10 s."""
    try:
        async with context.of(request).writes.connection(timeout=WAIT_S) as conn:
            rows = await (await conn.execute(parts.ALL, (parts.FRESH_S,))).fetchall()
    except psycopg.Error as error:
        return _readiness([_part("database", "down", _first_line(error))], False)
    listed = [_part(name, state, detail, facts, time_text(beat_at)) for name, state, detail, beat_at, _, facts in rows]
    return _readiness(listed, bool(rows) and all(state == "up" and fresh for _, state, _, _, fresh, _ in rows))


@ENDPOINTS.get("/metrics", role="anyone", include_in_schema=False)
async def show_metrics() -> Response:
    """What this process counts, for Prometheus."""
    return Response(generate_latest(metrics.REGISTRY), media_type=CONTENT_TYPE_LATEST)


def _part(
    name: str, state: parts.State, detail: str, facts: parts.Facts | None = None, beat_at: str | None = None
) -> dict[str, Any]:
    return {"name": name, "state": state, "detail": detail, "facts": facts or {}, "beat_at": beat_at}


def _readiness(listed: list[dict[str, Any]], ready: bool) -> Response:
    body = encode({"status": "ready" if ready else "not ready", "parts": listed})
    if ready:
        return reply(body)
    return reply(body, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(RETRY_AFTER_S)})


def _first_line(error: psycopg.Error) -> str:
    return (str(error).splitlines() or ["no answer"])[0]
