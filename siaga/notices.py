"""What `siaga notices` does: sends a test message, lists dead letters."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from alerts.notice_plan import Language, Plan
from runtime.settings import Settings
from siaga.client import Client
from storage import notice_file
from worker import channels
from worker.channels import Refused
from worker.notice_text import Place, trial

PATH = "/notices"
PAGE = 100


class UnknownError(Exception):
    """Neither a channel nor a person of the plan has that name."""


def send_trial(settings: Settings, name: str) -> dict[str, str | None]:
    """By channel, why it did not take a test message; None where it did. Raises PlanError, UnknownError."""
    plan = notice_file.of_settings(settings)
    place = Place(settings.regency, settings.zone, settings.api_url, settings.notice_lines_max, datetime.now(UTC))
    names, language = _channels(plan, name)
    text = trial(name, language, place)

    async def send(channel: str) -> str | None:
        found = channels.address(plan, channel)
        refused = found if isinstance(found, Refused) else await channels.send(found, text.title, text.body, "warning")
        return refused.error if refused else None

    return {channel: asyncio.run(send(channel)) for channel in names}


def dead(api: Client, most: int) -> list[dict[str, Any]]:
    """The newest dead letters. Raises SiagaError."""
    return list(islice(api.items(PATH, state="dead", limit=min(most, PAGE)), most))


def _channels(plan: Plan, name: str) -> tuple[tuple[str, ...], Language]:
    if plan.channel(name) is not None:
        return (name,), "id"
    person = plan.person(name)
    if person is None:
        known = ", ".join([each.name for each in plan.channels] + [each.name for each in plan.people]) or "none"
        raise UnknownError(f"{name!r} is neither a channel nor a person of the notice plan; it has {known}")
    return person.channels, person.language
