"""Advice on alerts that come too often: other delays and deadbands, tried on stored readings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from alerts.advice import Effect, Trial
from api import advice_shapes, context
from api.auth import Endpoints
from api.params import From, To, limit_of, window
from api.problem_types import BUSY
from api.problems import Problem, wrong_field
from api.reply import encode, reply
from devices.kinds import KINDS
from storage import rules
from storage.advice import Advised, Limits, advise
from storage.alert_kpi import Range
from storage.as_json import time_text
from storage.read_at import closed_after
from storage.rules_replay import BusyError

ENDPOINTS = Endpoints("/api/v1")
DEFAULT = timedelta(days=7)
FEW = 5


@ENDPOINTS.get("/alerts/advice", role="viewer", answer=advice_shapes.Advice)
async def advise_on_alerts(
    request: Request,
    since: From = None,
    until: To = None,
    limit: Annotated[int | None, Query(ge=1, description="how many rules on devices; 5 when left out")] = None,
) -> Response:
    """What chatters or comes most often in 7 days, and which delay or deadband would have spared most of it."""
    here = context.of(request)
    asked = window(since, until, context.utc_now(), DEFAULT)
    most_days = here.settings.advice_days_max
    if not timedelta(0) < asked.until - asked.since <= timedelta(days=most_days):
        raise wrong_field("from", f"the range must be some time, at most {most_days} d (SIAGA_ADVICE_DAYS_MAX)")
    most = limit_of(limit, here.settings.advice_actors_max, FEW, "SIAGA_ADVICE_ACTORS_MAX")
    limits = Limits(most, here.settings.advice_readings_max, here.settings.stream_silent_s)
    async with here.reads.connection() as conn:
        if gone := await closed_after(conn, list(KINDS.values()), asked.since):
            told = ", ".join(f"{name} from {time_text(at)} on" for name, at in sorted(gone.items()))
            raise wrong_field("from", f"readings of {time_text(asked.since)} have been dropped (there are: {told})")
        try:
            found = await advise(conn, Range(*asked), (await rules.read(conn)).rules, limits)
        except BusyError as error:
            raise Problem(BUSY, f"{error}; please try again") from None
    answer = {"from": time_text(asked.since), "to": time_text(asked.until), "items": list(map(_item, found))}
    return reply(encode(answer))


def _item(each: Advised) -> dict[str, Any]:
    return {
        **each.actor._asdict(),
        "from": time_text(each.since),
        "readings": each.readings,
        "suspect_share": round(each.suspect_share, 6),
        "before": _caused(each.before) if each.before else None,
        "proposal": _proposal(each.trial) if each.trial else None,
        "sentence": {"id": each.sentence.id, "en": each.sentence.en},
    }


def _caused(effect: Effect) -> dict[str, Any]:
    return {"alerts": effect.alerts, "transitions": effect.transitions, "standing_s": round(effect.standing_s, 3)}


def _proposal(trial: Trial) -> dict[str, Any]:
    effect = trial.effect
    return {
        "change": trial.change.what,
        "value": trial.change.value,
        "after": _caused(effect),
        "removed_share": round(effect.removed, 6),
        "delay_s": round(effect.delay_s, 3),
        "lost_count": effect.lost_count,
        "lost": [
            {"begin": _time(lost.begin), "end": _time(lost.end), "severity": lost.severity} for lost in effect.lost
        ],
        "rule": trial.rule.model_dump(mode="json"),
    }


def _time(at: float) -> str:
    return time_text(datetime.fromtimestamp(at, UTC))
