"""Everything about one alert, or an incident with its members, as a ZIP for who was not there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from http import HTTPStatus
from tempfile import SpooledTemporaryFile

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import context
from api.alert_item import AlertId
from api.auth import Endpoints
from api.districts import districts
from api.problems import not_found
from storage.incident_file import Ground, write
from storage.incident_file_case import Limits

ENDPOINTS = Endpoints("/api/v1")
MEDIA_TYPE = "application/zip"
# Most files stay in memory; larger ones go to the disk, and nobody reads them at the speed of the network.
IN_MEMORY_BYTES = 4 << 20
CHUNK_BYTES = 256 << 10
ANSWER = {"responses": {"200": {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}}

Spool = SpooledTemporaryFile[bytes]


@ENDPOINTS.get("/alerts/{alert_id}/file", role="viewer", problems=[HTTPStatus.NOT_FOUND], extra=ANSWER)
async def show_incident_file(request: Request, alert_id: AlertId) -> Response:
    """Readings, quality, rule, events, notices, forecasts and map of an alert: docs/incident-file.md."""
    here = context.of(request)
    settings = here.settings
    limits = Limits(
        settings.incident_file_readings_max, settings.incident_file_members_max, settings.incident_file_neighbours_max
    )
    ground = Ground(settings.regency, settings.zone, districts())
    out = Spool(max_size=IN_MEMORY_BYTES)
    try:
        # All of it before the answer begins: a file that breaks off half-way is none.
        async with here.reads.connection() as conn:
            made = await write(conn, alert_id, out, ground, limits, context.utc_now())
        if made is None:
            raise not_found(f"alert {alert_id}")
    except BaseException:
        out.close()
        raise
    headers = {
        "Content-Disposition": f'attachment; filename="{made.name}"',
        "Content-Length": str(out.seek(0, os.SEEK_END)),
    }
    return StreamingResponse(_chunks(out), 200, headers, MEDIA_TYPE)


async def _chunks(out: Spool) -> AsyncIterator[bytes]:
    with out:
        out.seek(0)
        while chunk := await asyncio.to_thread(out.read, CHUNK_BYTES):
            yield chunk
