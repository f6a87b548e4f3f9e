"""`siaga rules advise`: advice on alerts that come too often, as the API's, without its limits on range and number."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from runtime.settings import Settings, require
from siaga.rules_dry_run import DryRunError
from storage import rules
from storage.advice import Advised, Limits
from storage.advice import advise as replay
from storage.alert_kpi import Range
from storage.connect import connect_async
from storage.rules_replay import BusyError


class Options(NamedTuple):
    """until None: now. most: rules on devices."""

    since: datetime
    until: datetime | None
    most: int


def run(options: Options, settings: Settings) -> list[Advised]:
    """Read and replay. Raises DryRunError, SettingError, psycopg.Error."""
    return asyncio.run(_run(options, settings))


def lines(found: Sequence[Advised]) -> Iterator[str]:
    """What came of it, for people: who, how much, and what to do about it."""
    if not found:
        yield "nothing chatters, and no rule on a device has raised three alerts"
    for each in found:
        chatters = f", up to {each.actor.most_in_1_min} transitions a minute" if each.actor.most_in_1_min else ""
        replayed = f"; replayed: {_times(each)}" if each.before else ""
        yield f"{each.actor.rule} on {each.actor.device_id}: {each.actor.alerts} alerts{chatters}{replayed}"
        yield f"  {each.sentence.en}"


def as_plain(found: Sequence[Advised]) -> list[dict[str, Any]]:
    """What came of it, for programs."""
    return [
        {
            **each.actor._asdict(),
            "from": each.since.isoformat(),
            "readings": each.readings,
            "suspect_share": each.suspect_share,
            "before": each.before and {"alerts": each.before.alerts, "transitions": each.before.transitions},
            "proposal": each.trial
            and {
                "change": each.trial.change.what,
                "value": each.trial.change.value,
                "alerts": each.trial.effect.alerts,
                "transitions": each.trial.effect.transitions,
                "removed_share": each.trial.effect.removed,
                "delay_s": each.trial.effect.delay_s,
                "lost": each.trial.effect.lost_count,
                "rule": each.trial.rule.model_dump(mode="json", exclude_none=True),
            },
            "sentence": {"id": each.sentence.id, "en": each.sentence.en},
        }
        for each in found
    ]


def _times(each: Advised) -> str:
    before, trial = each.before, each.trial
    assert before is not None
    after = f" -> {trial.effect.alerts}" if trial else ""
    return f"{before.alerts}{after} alerts in {each.readings:,} readings"


async def _run(options: Options, settings: Settings) -> list[Advised]:
    until = options.until or datetime.now(UTC)
    if options.since >= until:
        raise DryRunError(f"--from: {options.since.isoformat()} is not before --to, {until.isoformat()}")
    limits = Limits(options.most, settings.advice_readings_max, settings.stream_silent_s)
    async with await connect_async(require(settings.database_url, "SIAGA_DATABASE_URL"), "advise") as conn:
        try:
            return await replay(conn, Range(options.since, until), (await rules.read(conn)).rules, limits)
        except BusyError as error:
            raise DryRunError(f"{error}; try again when it has ended") from None
