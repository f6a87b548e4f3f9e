"""What the oracle's tests share: readings as they are sent, what the engine makes of them, what the oracle expects, and
whether the two agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from alerts.engine import Engine, Transition, evaluate
from alerts.rule import shipped
from alerts.silence import find_silent
from devices.batch import Packet, Readings
from devices.checks import check
from devices.checks_memory import Memory
from devices.device import Device
from devices.fleet import Fleet
from devices.quality import Reason
from ingest.intake import Limits, take_in
from simulator.truth.folder import Clock, Expected, Step
from simulator.truth.oracle import NEEDED, Series, expected_alerts
from simulator.truth.rules import SILENT_S
from tests.alerts.timeline import EVENING, LIMITS, packet

NEVER_LATE = LIMITS._replace(live_window_s=100 * 86_400)


class Sent(NamedTuple):
    """A reading: ms after 19:00, and its values."""

    at_ms: int
    values: dict[str, float | None]


# -- what the engine makes of it -------------------------------------------------------------------------------------


def received(device: Device, sent: Sequence[Sent], clock: Clock) -> list[Packet]:
    """Packets in order of arrival: live ones when they were measured or, held back, with the newer one before."""
    found, newest = [], 0
    for one in sent:
        newest = max(newest, one.at_ms)
        ts, live = (EVENING + timedelta(milliseconds=ms) for ms in (one.at_ms, newest))
        found.append(packet(device, ts, live if clock == "live" else EVENING + timedelta(days=90), **one.values))
    return found


def alerts_of(
    device: Device,
    packets: Sequence[Packet],
    cuts: Iterable[int],
    clock: Clock,
    end_ms: int | None = None,
    *,
    checked: bool = False,
) -> list[Expected]:
    """The alerts that the engine raises when batches end at `cuts`; with end_ms it looks for silence until then.

    checked: readings are held against those before, as ingest does; without it, each speaks for itself.
    """
    fleet, engine = Fleet([device]), Engine(shipped())
    engine.fit(fleet)
    memory = Memory() if checked else None
    transitions: list[Transition] = []
    limits = NEVER_LATE if clock == "live" else LIMITS
    ends = [*sorted({cut for cut in cuts if 0 < cut < len(packets)}), len(packets)]
    for begin, end in pairwise([0, *ends]):
        evaluated = evaluate(engine, fleet, taken_in(packets[begin:end], fleet, limits, memory))
        engine.apply(evaluated)
        transitions += evaluated.transitions
        if end_ms is None:
            continue
        heard_ms = epoch_ms(packets[end - 1].received_at)
        until_ms = epoch_ms(packets[end].received_at) if end < len(packets) else end_ms
        limit_ms = 1000 * SILENT_S[device.kind]
        for now_ms in range(heard_ms + limit_ms - 15_000, min(until_ms, heard_ms + limit_ms + 40_000), 10_000):
            now = datetime.fromtimestamp(now_ms / 1000, UTC)
            silent = find_silent(engine, fleet, now, EVENING - timedelta(days=1))
            engine.apply(silent)
            transitions += silent.transitions
    return episodes(transitions)


def taken_in(packets: Sequence[Packet], fleet: Fleet, limits: Limits, memory: Memory | None) -> list[Readings]:
    """The readings of a batch with their flags; memory is that of the checks over time, if they are made."""
    readings = list(take_in(packets, fleet, limits).readings)
    if memory is None:
        return readings
    memory.fit(fleet)
    found = check(memory, fleet, readings)
    memory.apply(found.learnt)
    return found.readings


def episodes(transitions: Sequence[Transition]) -> list[Expected]:
    """Alerts from their transitions, in the form of what is expected."""
    steps: dict[tuple[str, str], list[Step]] = {}
    found: list[Expected] = []
    for one in transitions:
        if one.what == "cleared":
            found.append(Expected(*one.key, True, tuple(steps.pop(one.key)), epoch_ms(one.event_at), 0.0))
        else:
            assert one.to_severity is not None
            steps.setdefault(one.key, []).append(Step(epoch_ms(one.event_at), one.to_severity))
    found += [Expected(*key, True, tuple(rest), None, 0.0) for key, rest in steps.items()]
    return in_order(found)


def in_order(alerts: Iterable[Expected]) -> list[Expected]:
    return sorted(alerts, key=lambda alert: (alert.steps[0].at_ms, alert.rule))


def epoch_ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


# -- what the oracle makes of it -------------------------------------------------------------------------------------


def series_of(
    device: Device, sent: Sequence[Sent], message: Sequence[int] | None = None, *, checked: bool = False
) -> Series:
    """What the server keeps of them: derived, flagged, told from repetitions."""
    memory = Memory() if checked else None
    (readings,) = taken_in(received(device, sent, "past"), Fleet([device]), LIMITS, memory)
    ts_ms = readings.ts_us // 1000
    first = np.zeros(len(sent), dtype=np.bool_)
    first[np.unique(ts_ms, return_index=True)[1]] = True
    columns = {name: readings.numbers[name] for name in NEEDED[device.kind]}
    restless = np.asarray(readings.reason & Reason.RESTLESS, dtype=np.bool_)
    return Series(ts_ms, first, readings.trusted, restless, columns, None if message is None else np.array(message))


def expected_of(
    device: Device,
    sent: Sequence[Sent],
    clock: Clock = "past",
    message: Sequence[int] | None = None,
    *,
    checked: bool = False,
) -> list[Expected]:
    end_ms = epoch_ms(EVENING) + max(one.at_ms for one in sent)
    return expected_alerts(device, series_of(device, sent, message, checked=checked), clock, end_ms)


def fits(alert: Expected, found: Expected) -> bool:
    """Whether what was found is what was expected, as simulator/truth/folder.py says it is compared."""
    if (alert.rule, alert.device_id) != (found.rule, found.device_id):
        return False
    if alert.tolerance_s == 0:
        return (alert.steps, alert.cleared_ms) == (found.steps, found.cleared_ms)
    if alert.peak != found.peak or (alert.cleared_ms is None) != (found.cleared_ms is None):
        return False
    pairs = [(alert.steps[0].at_ms, found.steps[0].at_ms), (worst_ms(alert), worst_ms(found))]
    if alert.cleared_ms is not None and found.cleared_ms is not None:
        pairs.append((alert.cleared_ms, found.cleared_ms))
    return all(abs(a - b) <= 1000 * alert.tolerance_s for a, b in pairs)


def worst_ms(alert: Expected) -> int:
    return next(step.at_ms for step in alert.steps if step.severity == alert.peak)


def unmatched(expected: Sequence[Expected], found: Sequence[Expected]) -> list[Expected]:
    """What is missing or too many. Each alert answers one expectation: found in augmenting paths, musts first."""
    answers: dict[int, int] = {}  # expected → found

    def place(i: int, seen: set[int]) -> bool:
        for n, alert in enumerate(expected):
            if n not in seen and fits(alert, found[i]):
                seen.add(n)
                if n not in answers or place(answers[n], seen):
                    answers[n] = i
                    return True
        return False

    def fill(n: int, seen: set[int]) -> bool:
        for i in range(len(found)):
            if i not in seen and fits(expected[n], found[i]):
                seen.add(i)
                taken = next((m for m, j in answers.items() if j == i), None)
                if taken is None or fill(taken, seen):
                    answers[n] = i
                    return True
        return False

    missing = [alert for n, alert in enumerate(expected) if alert.must and not fill(n, set())]
    extra = [alert for i, alert in enumerate(found) if i not in answers.values() and not place(i, set())]
    return [*missing, *extra]
