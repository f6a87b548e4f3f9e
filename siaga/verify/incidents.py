"""Incidents as the truth expects them against those that are stored. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from devices.device import Device
from siaga.verify.report import Finding, IncidentTally
from siaga.verify.window import Window
from simulator.truth.folder import ExpectedIncident
from simulator.truth.incidents import BY
from storage.audit import Incident

MS_US = 1_000
SECOND_US = 1_000_000


class Compared(NamedTuple):
    """doubtful: differences that may be the broker's."""

    tally: IncidentTally
    findings: list[Finding]
    doubtful: int


def subject(by: str, name: str) -> str:
    """What stands in the place of a device in the alert of a group."""
    return f"${by}/{name}"


def subjects(fleet: Iterable[Device]) -> dict[str, set[str]]:
    """The devices of every group that may have an incident."""
    found: dict[str, set[str]] = {}
    for device in fleet:
        for by in BY:
            if name := device.attributes.get(by):
                found.setdefault(subject(by, str(name)), set()).add(device.id)
    return found


def compare(
    expected: Sequence[ExpectedIncident],
    stored: Iterable[Incident],
    window: Window,
    groups: dict[str, set[str]],
    shaken: Collection[str],
) -> Compared:
    """Pair those of the same rule, group and time. Of groups with a device in `shaken` nothing must be as expected."""
    within = [one for one in stored if window.holds(one.raised_us)]
    findings: list[Finding] = []
    doubtful = 0
    for finding in _differences(expected, within, window):
        if groups.get(finding.device_id, set()).isdisjoint(shaken):
            findings.append(finding)
        else:
            doubtful += 1
    number = {what: sum(each.what == what for each in findings) for what in ("missing", "extra", "different")}
    must = sum(one.must for one in expected)
    tally = IncidentTally(
        must, len(expected) - must, len(within), number["missing"], number["extra"], number["different"]
    )  # fmt: skip
    return Compared(tally, findings, doubtful)


def _differences(expected: Iterable[ExpectedIncident], stored: Sequence[Incident], window: Window) -> Iterator[Finding]:
    free = list(stored)
    for one in sorted(expected, key=lambda one: (not one.must, one.opened_ms)):
        of = subject(one.by, one.name)
        alike = [each for each in free if (each.rule, each.subject) == (one.rule, of) and _opens(one, each)]
        partner = next((each for each in alike if not _wrong(one, each, window)), alike[0] if alike else None)
        if partner is None:
            if one.must:
                yield Finding("missing", "incident", of, one.opened_ms * MS_US, f"{one.rule}: {one.devices} devices")
            continue
        free.remove(partner)
        if one.must and (wrong := _wrong(one, partner, window)):
            yield Finding("different", "incident", of, partner.raised_us, f"{one.rule}: {'; '.join(wrong)}")
    for each in free:
        detail = f"{each.rule}: {each.devices} devices, not in the truth"
        yield Finding("extra", "incident", each.subject, each.raised_us, detail)


def _opens(one: ExpectedIncident, each: Incident) -> bool:
    return _near(one, each.raised_us, one.opened_ms)


def _near(one: ExpectedIncident, at_us: int, at_ms: int) -> bool:
    return abs(at_us - at_ms * MS_US) <= one.tolerance_s * SECOND_US + MS_US


def _wrong(one: ExpectedIncident, each: Incident, window: Window) -> list[str]:
    wrong = []
    if each.devices != one.devices:
        wrong.append(f"{each.devices} devices, the truth has {one.devices}")
    # What ends after the run counts as standing at its end.
    cleared_us = None if each.cleared_us is None or each.cleared_us > window.until_us else each.cleared_us
    if (cleared_us is None) != (one.closed_ms is None):
        wrong.append("over, the truth has it standing" if one.closed_ms is None else "standing, the truth has it over")
    elif cleared_us is not None and one.closed_ms is not None and not _near(one, cleared_us, one.closed_ms):
        wrong.append("over at another time")
    return wrong
