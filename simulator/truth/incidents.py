"""The incidents that must come of a run's alerts: a second, plain implementation of docs/alerts.md.

It looks at all moments of a group one after the other, and at everybody in each of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from devices.device import Device
from simulator.truth.folder import Clock, Expected, ExpectedIncident

RULE, OF = "outage", ("unpowered", "stale")
# One such alert of the panel's cabinet is enough.
ALONE = "cabinet_no_mains"
KINDS = ("streetlight", "cabinet")
# Large groups first: what a panel stands for, its feeders do not.
BY = ("panel", "feeder")
SHARE, LEAST = 0.6, 5
WITHIN_MS = DWINDLED_MS = 600_000
NEVER = math.inf


class _Lamp(NamedTuple):
    """One alert. cleared_ms: inf while it stands."""

    device_id: str
    raised_ms: int
    cleared_ms: float
    off_ms: float
    alone: bool


class _Found(NamedTuple):
    members: tuple[_Lamp, ...]
    opened_ms: int
    closed_ms: float


def expected_incidents(
    fleet: Sequence[Device], heard: Collection[str], alerts: Sequence[Expected], clock: Clock
) -> list[ExpectedIncident]:
    """Every incident of the shipped rules, by time. heard: devices of which something is stored.

    Where alerts may come or not, an incident has to come only if it does either way, with the same members.
    """
    sure = _all(fleet, heard, [alert for alert in alerts if alert.must], clock)
    perhaps = _all(fleet, heard, alerts, clock)
    found = [each for each in sure if each in perhaps]
    found += [each._replace(must=False) for each in {*sure, *perhaps} if each not in found]
    return sorted(found, key=lambda each: (each.opened_ms, each.by, each.name, each.must))


def _all(
    fleet: Sequence[Device], heard: Collection[str], alerts: Sequence[Expected], clock: Clock
) -> list[ExpectedIncident]:
    lamps = [_lamp(alert) for alert in alerts if alert.rule in (*OF, ALONE)]
    found: list[ExpectedIncident] = []
    for by in BY:
        for name, devices in sorted(_groups(fleet, heard, by).items()):
            theirs = [lamp for lamp in lamps if lamp.device_id in devices]
            for each in _of_group(theirs, max(LEAST, math.ceil(round(SHARE * len(devices), 6)))):
                found.append(_told(by, name, each, clock))
                lamps = [lamp for lamp in lamps if lamp not in each.members]
    return found


def _groups(fleet: Sequence[Device], heard: Collection[str], by: str) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for device in fleet:
        if device.kind in KINDS and device.id in heard and device.attributes.get(by):
            found[str(device.attributes[by])].add(device.id)
    return found


def _of_group(lamps: Sequence[_Lamp], needed: int) -> Iterator[_Found]:
    members: set[_Lamp] = set()
    opened_ms: int | None = None
    few_since: float | None = None
    if len({lamp.device_id for lamp in lamps}) < needed and not any(lamp.alone for lamp in lamps):
        return
    for at_ms in sorted({moment for lamp in lamps for moment in (lamp.raised_ms, lamp.cleared_ms)}):
        if opened_ms is not None and few_since is not None and at_ms >= few_since + DWINDLED_MS:
            yield _Found(tuple(sorted(members)), opened_ms, few_since + DWINDLED_MS)
            opened_ms, few_since, members = None, None, set()
        standing = [lamp for lamp in lamps if lamp.raised_ms <= at_ms < lamp.cleared_ms]
        if opened_ms is None:
            fresh = [lamp for lamp in standing if lamp.raised_ms >= at_ms - WITHIN_MS]
            if len({lamp.device_id for lamp in fresh}) >= needed or any(
                lamp.alone and lamp.raised_ms == at_ms for lamp in fresh
            ):
                opened_ms, members = int(at_ms), set(fresh)
            continue
        members.update(lamp for lamp in standing if lamp.raised_ms > opened_ms)
        left = {lamp.device_id for lamp in members if lamp in standing}
        if not left:
            yield _Found(tuple(sorted(members)), opened_ms, at_ms)
            opened_ms, few_since, members = None, None, set()
        elif len(left) < needed / 2 and not any(lamp.alone for lamp in members if lamp in standing):
            few_since = at_ms if few_since is None else few_since
        else:
            few_since = None
    if opened_ms is not None:
        yield _Found(tuple(sorted(members)), opened_ms, NEVER)


def _lamp(alert: Expected) -> _Lamp:
    cleared_ms = NEVER if alert.cleared_ms is None else alert.cleared_ms
    return _Lamp(alert.device_id, alert.steps[0].at_ms, cleared_ms, 1000 * alert.tolerance_s, alert.rule == ALONE)


def _told(by: str, name: str, found: _Found, clock: Clock) -> ExpectedIncident:
    off_ms = max(lamp.off_ms for lamp in found.members)
    if clock == "live":
        # Which lamps are known first when there are enough is chance; what is told once stays as it was told.
        off_ms += max(0, max(lamp.raised_ms for lamp in found.members if lamp.raised_ms <= found.opened_ms + WITHIN_MS)
                      - min(lamp.raised_ms for lamp in found.members))  # fmt: skip
    devices = len({lamp.device_id for lamp in found.members})
    closed_ms = None if found.closed_ms == NEVER else int(found.closed_ms)
    return ExpectedIncident(RULE, by, name, True, devices, found.opened_ms, closed_ms, off_ms / 1000)
