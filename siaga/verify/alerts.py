"""Alerts as the truth expects them against those that were raised. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from siaga.verify.episodes import Episode
from siaga.verify.report import Finding
from siaga.verify.window import Window
from simulator.truth.folder import Expected

MS_US = 1_000
SECOND_US = 1_000_000


class Matched(NamedTuple):
    """doubtful: what would be a difference, were it not of devices whose messages may be lost."""

    findings: list[Finding]
    doubtful: list[Finding]
    found: int
    missing: int
    extra: int
    wrong: int


def match(expected: Iterable[Expected], raised: Iterable[Episode], window: Window, doubtful: Container[str]) -> Matched:
    """Pair expected alerts with those raised within the window, by rule, device and time.

    What is cleared or moves after the window counts as standing at its end. Of doubtful devices nothing must be and
    nothing is too much.
    """
    wanted: defaultdict[tuple[str, str], list[Expected]] = defaultdict(list)
    there: defaultdict[tuple[str, str], list[Episode]] = defaultdict(list)
    for one in expected:
        wanted[one.rule, one.device_id].append(one)
    for episode in raised:
        there[episode.rule, episode.device_id].append(episode.until(window.until_us))
    findings: list[Finding] = []
    of_doubtful: list[Finding] = []
    found = 0
    for key in sorted(wanted.keys() | there.keys()):
        within = [e for e in there[key] if window.holds(e.opened_us)]
        found += len(within)
        differences = _differences(wanted[key], there[key], within)
        (of_doubtful if key[1] in doubtful else findings).extend(differences)
    number = {what: sum(f.what == what for f in findings) for what in ("missing", "extra", "different")}
    return Matched(findings, of_doubtful, found, number["missing"], number["extra"], number["different"])


def _differences(wanted: Sequence[Expected], there: Sequence[Episode], within: Sequence[Episode]) -> Iterator[Finding]:
    """Of one rule on one device. Those that agree are paired first, so that a near miss takes none of their places."""
    # What must be chooses before what may be.
    left = sorted(wanted, key=lambda one: (not one.must, one.steps[0].at_ms))
    free = list(there)
    for agreed in (True, False):
        for one in list(left):
            partner = next((e for e in free if (not _wrong(one, e) if agreed else _opens(one, e))), None)
            if partner is None:
                continue
            left.remove(one)
            free.remove(partner)
            if not agreed:
                detail = f"{one.rule}: {'; '.join(_wrong(one, partner))}"
                yield Finding("different", "alert", one.device_id, partner.opened_us, detail)
    for one in left:
        if one.must:
            yield Finding("missing", "alert", one.device_id, one.steps[0].at_ms * MS_US, f"{one.rule}: {_said(one)}")
    for episode in within:
        if episode in free:
            detail = f"{episode.rule}: severity {episode.peak}, not in the truth"
            yield Finding("extra", "alert", episode.device_id, episode.opened_us, detail)


def _opens(one: Expected, episode: Episode) -> bool:
    return _near(one, episode.opened_us, one.steps[0].at_ms)


def _near(one: Expected, at_us: int, at_ms: int) -> bool:
    return abs(at_us - at_ms * MS_US) <= one.tolerance_s * SECOND_US + MS_US


def _wrong(one: Expected, episode: Episode) -> list[str]:
    """In what they differ; empty when they agree."""
    wrong = []
    if not _opens(one, episode):
        wrong.append("raised at another time")
    severities = [step.severity for step in episode.steps]
    if one.tolerance_s == 0:
        if severities != [step.severity for step in one.steps]:
            wrong.append(f"severities {_arrows(severities)}, the truth has {_said(one)}")
        elif not all(_near(one, a.at_us, b.at_ms) for a, b in zip(episode.steps, one.steps, strict=True)):
            wrong.append("a change of severity comes at another time")
    elif episode.peak != one.peak:
        wrong.append(f"worst severity {episode.peak}, the truth has {one.peak}")
    if (episode.cleared_us is None) != (one.cleared_ms is None):
        stands = (
            "cleared, the truth has it standing" if one.cleared_ms is None else "standing, the truth has it cleared"
        )
        wrong.append(stands)
    elif episode.cleared_us is not None and one.cleared_ms is not None:
        off_s = episode.cleared_us / SECOND_US - one.cleared_ms / 1000
        if not _near(one, episode.cleared_us, one.cleared_ms):
            wrong.append(f"cleared {abs(off_s):g} s {'later' if off_s > 0 else 'earlier'} than in the truth")
    return wrong


def _said(one: Expected) -> str:
    return f"severities {_arrows([step.severity for step in one.steps])}"


def _arrows(severities: Sequence[int]) -> str:
    return " → ".join(map(str, severities))
