"""`siaga rules dry-run`: stored readings through other rules, as the API's does, without its limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from alerts.rule import Rule
from alerts.rules_set import tried
from alerts.rules_tally import Tally, Total, sentence
from runtime.settings import Settings, require
from simulator.times import parse_duration
from storage import rules
from storage.connect import connect_async
from storage.rules_replay import BusyError, Past, Ran, Run
from storage.rules_replay import dry_run as replay


class DryRunError(Exception):
    """It cannot be run; the message names the option."""


class Options(NamedTuple):
    """until None: now. candidates replace or join the rules in force; ids: only rules of these."""

    since: datetime
    until: datetime | None
    candidates: tuple[Rule, ...] = ()
    ids: tuple[str, ...] = ()
    devices: tuple[str, ...] | None = None


class Found(NamedTuple):
    """candidate: None without candidates."""

    past: Past
    ran: Ran
    current: Total
    candidate: Total | None


def moment(option: str, text: str) -> datetime:
    """RFC 3339 with an offset, or so long ago (30d, 6h). Raises DryRunError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return datetime.now(UTC) - timedelta(seconds=parse_duration(text.removeprefix("-"), option))
        except (ValueError, OverflowError):
            raise DryRunError(f"{option}: {text!r} is no time; write 2026-11-24T19:10:00+07:00, or 6h, 30d") from None
    if at.tzinfo is None:
        raise DryRunError(f"{option}: {text!r} has no offset; write it as 2026-11-24T19:10:00+07:00")
    return at.astimezone(UTC)


def run(options: Options, settings: Settings) -> Found:
    """Read and evaluate. Raises DryRunError, SettingError, psycopg.Error."""
    return asyncio.run(_run(options, settings))


async def _run(options: Options, settings: Settings) -> Found:
    until = options.until or datetime.now(UTC)
    if options.since > until:
        raise DryRunError(f"--from: {options.since.isoformat()} is after --to, {until.isoformat()}")
    past = Past(options.since, until, options.devices, settings.stream_silent_s)
    async with await connect_async(require(settings.database_url, "SIAGA_DATABASE_URL"), "dry-run") as conn:
        sets = tried((await rules.read(conn)).rules, options.candidates, options.ids)
        every = {rule.id for each in sets if each is not None for rule in each}
        if unknown := set(options.ids) - every:
            raise DryRunError(f"--rule: there is no rule {', '.join(sorted(unknown))}")
        tallies = [(each, Tally()) for each in sets if each is not None]
        try:
            ran = await replay(conn, past, [Run(each, tally.add) for each, tally in tallies])
        except BusyError as error:
            raise DryRunError(f"{error}; try again when it has ended") from None
    totals = [tally.total() for _, tally in tallies]
    return Found(past, ran, totals[0], totals[1] if len(totals) > 1 else None)


def lines(found: Found) -> Iterator[str]:
    """What came of it, for people."""
    since, until = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (found.past.since, found.past.until))
    yield f"{found.ran.readings:,} readings of {found.ran.devices:,} devices, {since} to {until}"
    yield f"the rules in force {sentence(found.current, found.candidate).en}"
    late = [f"{total.historical:,}" for total in (found.current, found.candidate) if total is not None]
    if any(text != "0" for text in late):
        yield f"raised by late data, which nobody is told of: {'; with the candidate: '.join(late)}"


def as_plain(found: Found) -> dict[str, Any]:
    """What came of it, for programs."""
    return {
        "from": found.past.since.isoformat(),
        "to": found.past.until.isoformat(),
        **found.ran._asdict(),
        "current": _total(found.current),
        "candidate": _total(found.candidate) if found.candidate else None,
        "sentence": sentence(found.current, found.candidate).en,
    }


def _total(total: Total) -> dict[str, Any]:
    return total._asdict() | {"top": [each._asdict() for each in total.top]}
