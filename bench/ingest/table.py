"""What the rounds come to: medians, ratios beside their bars, and the table that shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from bench.ingest.drain import Drained

# Least ratio of Siaga to another, for single messages, by broker; and readings a second in arrays.
BARS = {
    "nats": {"a": 0.75, "b": 2.0, "c": 1.0},
    "mosquitto21": {"a": 0.75, "b": 2.0, "c": 1.0},
    "mosquitto20": {"a": 0.85},
}
ARRAYS_BAR, ARRAYS = 150_000, 50
OURS = "e"
GROUPS = ("client", "broker", "database")
MILLION = 1_000_000


class Line(NamedTuple):
    """Medians of a competitor's rounds. cpu_s: CPU seconds for a million readings; peak_mb: the most of any round."""

    rate: float  # readings a second
    best: float
    cpu_s: dict[str, float]
    peak_mb: dict[str, float]
    missing: int  # rows, in all rounds; negative: too many


class Judged(NamedTuple):
    """A figure of ours beside its bar; bar None: there is none."""

    name: str
    figure: float
    bar: float | None

    def __str__(self) -> str:
        shown = f"{self.name} {self.figure:,.2f}"
        if self.bar is None:
            return shown
        return f"{shown} (bar {self.bar:,.2f}: {'reached' if self.figure >= self.bar else 'MISSED'})"


def line(rounds: Sequence[Drained]) -> Line:
    million = [MILLION / (each.rate * each.seconds) for each in rounds]
    return Line(
        rate=median(each.rate for each in rounds),
        best=max(each.rate for each in rounds),
        cpu_s={
            group: median(each.used[group].cpu_s * m for each, m in zip(rounds, million, strict=True))
            for group in GROUPS
        },
        peak_mb={group: max(each.used[group].peak_mb for each in rounds) for group in GROUPS},
        missing=sum(each.wanted - each.rows for each in rounds if each.rows is not None),
    )


def judged(broker: str, each: int, lines: Mapping[str, Line]) -> list[Judged]:
    """Ours beside the others, with the bars where there are any."""
    if OURS not in lines:
        return []
    ours = lines[OURS].rate
    # A broker that keeps everything on disk is measured, but no bar was set for it.
    bars = BARS.get(broker, {}) if each == 1 else {}
    found = [
        Judged(f"{OURS}/{letter}", ours / other.rate, bars.get(letter))
        for letter, other in lines.items()
        if letter != OURS
    ]
    if each == ARRAYS:
        found.append(Judged("readings/s", ours, ARRAYS_BAR))
    return found


def shown(title: str, names: Mapping[str, str], lines: Mapping[str, Line], verdict: Sequence[Judged]) -> str:
    head = (
        f"{'':<38} {'readings/s':>11} {'best':>9}   {'CPU s a million readings':^26}   {'peak MB':^22}   rows missing\n"
        f"{'':<38} {'median':>11} {'':>9}   {'client':>8} {'broker':>8} {'database':>8}   "
        f"{'client':>6} {'broker':>6} {'database':>8}"
    )
    rows = [
        f"({letter}) {names[letter]:<34} {one.rate:>11,.0f} {one.best:>9,.0f}   "
        + " ".join(f"{one.cpu_s[group]:>8.2f}" for group in GROUPS)
        + "   {:>6.0f} {:>6.0f} {:>8.0f}".format(*(one.peak_mb[group] for group in GROUPS))
        + f"   {one.missing or 'none'}"
        for letter, one in lines.items()
    ]
    return "\n".join([title, head, *rows, "   ".join(map(str, verdict))])


def as_json(lines: Mapping[str, Line], verdict: Sequence[Judged]) -> dict[str, Any]:
    return {
        "competitors": {letter: one._asdict() for letter, one in lines.items()},
        "judged": [one._asdict() for one in verdict],
    }
