"""Registering a fleet through the API, as any vendor would: POST /api/v1/devices/import. Repeating changes nothing."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Sequence

import httpx

from devices.device import Device
from devices.fleet_csv import write_csv
from runtime.log import get_logger

log = get_logger("simulator.register")

PER_REQUEST = 5_000  # rows, about 700 kB
RETRY_FIRST_S, RETRY_MAX_S = 0.5, 5.0
GIVE_UP_S = 120.0
TIMEOUT_S = 60.0


class RegisterError(Exception):
    """The API refused the fleet, or did not answer in time; the message says what to do."""


async def register(
    api_url: str, api_key: str, devices: Sequence[Device], give_up_s: float = GIVE_UP_S
) -> dict[str, int]:
    """Register devices; the counts of added, updated, unchanged ones. Waits for an API that is still starting."""
    total = {"added": 0, "updated": 0, "unchanged": 0}
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "text/csv"}
    url = f"{api_url.rstrip('/')}/api/v1/devices/import"
    deadline = time.monotonic() + give_up_s
    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT_S) as client:
        for at in range(0, len(devices), PER_REQUEST):
            part = io.StringIO()
            write_csv(part, devices[at : at + PER_REQUEST])
            done = await _posted(client, url, part.getvalue().encode(), deadline)
            for name in total:
                total[name] += int(done.get(name, 0))
    log.info("fleet.registered", devices=len(devices), **total)
    return total


async def _posted(client: httpx.AsyncClient, url: str, body: bytes, deadline: float) -> dict[str, int]:
    pause, told = RETRY_FIRST_S, ""
    while True:
        try:
            answer = await client.post(url, content=body)
        except httpx.TransportError as error:
            why = f"{type(error).__name__}: {error}".rstrip(": ")
        else:
            if answer.is_success:
                try:
                    return dict(answer.json())
                except (ValueError, TypeError):
                    raise RegisterError(
                        f"{url} answered, but not as Siaga's API does. Is SIAGA_API_URL right?"
                    ) from None
            if answer.status_code != 429 and answer.status_code < 500:
                raise RegisterError(f"{url} refused the fleet: {_problem(answer)}")
            why = _problem(answer)
        if time.monotonic() + pause > deadline:
            raise RegisterError(f"{url} could not be reached: {why}. Is SIAGA_API_URL right, and the API running?")
        if why != told:  # an error repeats in the log only if its text changed
            log.warning("api.waited_for", url=url, why=why)
            told = why
        await asyncio.sleep(pause)
        pause = min(pause * 2, RETRY_MAX_S)


def _problem(answer: httpx.Response) -> str:
    """An error answer in one line: RFC 9457 title, detail and the first wrong rows, if it has them."""
    try:
        problem = answer.json()
        parts = [f"HTTP {answer.status_code}", str(problem.get("title", "")), str(problem.get("detail") or "")]
        parts += [
            f"row {e.get('row', '?')}, {e.get('field', '?')}: {e.get('message', '')}"
            for e in (problem.get("errors") or [])[:5]
        ]
    except (ValueError, TypeError, AttributeError):  # whoever answered, it was not our API
        return f"HTTP {answer.status_code}"
    text = "; ".join(part for part in parts if part)
    if answer.status_code in (401, 403):
        text += ". SIAGA_API_KEY must be a key with role engineer or admin"
    return text
