"""What an incident file holds, and in which words: names, spans, cells and the sums that seal it. Pure.

docs/incident-file.md describes every file of it for who receives one.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from alerts.rule import Rule
from alerts.rules_scope import Watched
from alerts.rules_set import InForce, Version, rule_set
from devices.device import Device
from devices.fleet import Fleet
from devices.quality import Quality, Reason

BEFORE, AFTER = timedelta(hours=6), timedelta(hours=2)
# In the order in which they are written; sums of these make the chain, whose end the summary and the page tell.
READINGS, NEIGHBOURS, RULE = "readings.csv", "neighbours.csv", "rule.json"
TRANSITIONS, NOTICES, FORECASTS = "transitions.csv", "notices.csv", "forecasts.csv"
GEOJSON, SVG = "map.geojson", "map.svg"
SUMMARY, PAGE, SUMS = "summary.json", "ringkasan.html", "SHA256SUMS"
README_ID, README_EN = "BACA-SAYA.txt", "README.txt"
# After the columns of readings (storage/read_readings.py): words for qc and for the bits of qc_reason.
WORDS = ("qc_word", "qc_reason_words")
QC_WORDS = {int(each): each.name.lower().replace("_", " ") for each in Quality}
TRANSITION_COLUMNS = (
    "id", "alert_id", "rule", "device_id", "what", "from_severity", "to_severity", "siaga", "value", "event_at",
    "detected_at", "who", "why", "until", "assignee", "parent_id", "quiet",
)  # fmt: skip
NOTICE_COLUMNS = (
    "id", "made_at", "sent_at", "state", "who", "channel", "what", "severity", "title", "body", "note", "tries",
    "error",
)  # fmt: skip
FORECAST_COLUMNS = (
    "device_id", "siaga", "as_of", "made_at", "bound_m", "level_m", "slope_m_h", "points", "basis", "upstream", "lag_s",
    "rose_m", "stage", "expected_at", "earliest", "latest", "outcome", "reached_at",
)  # fmt: skip
NEIGHBOUR_HEAD = ("device_id", "device_name", "how", "bucket", "n", "n_good")
Row = Mapping[str, Any]


class Span(NamedTuple):
    """Readings with since <= ts < until belong to it."""

    since: datetime
    until: datetime


class InForceFrom(NamedTuple):
    """The rule that was in force on a device from a moment on; None: none was."""

    since: datetime
    found: InForce | None


@dataclass
class Seal:
    """SHA-256 of each file, and a chain over them: whoever changes one file changes its end."""

    sums: dict[str, str] = field(default_factory=dict)
    chain: str = "0" * 64

    def add(self, name: str, digest: str) -> None:
        self.sums[name] = digest
        self.chain = hashlib.sha256(f"{self.chain} {digest} {name}\n".encode()).hexdigest()

    def text(self) -> str:
        """As `sha256sum --check` reads it."""
        return "".join(f"{digest}  {name}\n" for name, digest in self.sums.items())


def file_name(day: date, device_id: str, alert_id: int) -> str:
    """siaga-2026-11-24-wl-kisaran-barat-4711.zip; of a group siaga-2026-11-24-panel-PNL-07-4711.zip."""
    subject = re.sub(r"[^A-Za-z0-9_-]+", "-", device_id).strip("-")
    return f"siaga-{day.isoformat()}-{subject}-{alert_id}.zip"


def span(raised_at: datetime, cleared_at: datetime | None, rule: Rule | None, now: datetime) -> Span:
    """From 6 h before raising, and as long as the rule waits, to 2 h after clearing, or now."""
    waits_s = max((level.delay_on_s for level in rule.level), default=0.0) if rule else 0.0
    end = now if cleared_at is None else min(now, cleared_at + AFTER)
    return Span(raised_at - BEFORE - timedelta(seconds=waits_s), max(end, raised_at + timedelta(seconds=1)))


class Changes:
    """The rules of one id over time; what was known at a moment is worked out once, whoever asks."""

    def __init__(self, changes: Sequence[Version], rule: str) -> None:
        """changes: oldest first."""
        self._changes, self._rule = changes, rule
        self._times = [each.at for each in changes]
        self._known: dict[int, tuple[InForce, ...]] = {}

    def known(self, at: datetime) -> tuple[InForce, ...]:
        count = bisect_right(self._times, at)
        found = self._known.get(count)
        if found is None:
            newest = {each.variant: each for each in self._changes[:count]}
            every = rule_set(newest.values()).in_force
            found = self._known[count] = tuple(each for each in every if each.rule.id == self._rule)
        return found


def in_force(changes: Changes, kind: str, device: Device | None, moments: Iterable[datetime]) -> list[InForceFrom]:
    """The rule that watched a device at these moments, in order; of those in which it stayed the same the first.

    kind: of the alert; device: None where it is about a group. A moment is that of detection: ingest decides by what
    it knows then.
    """
    found: list[InForceFrom] = []
    for at in sorted(moments):
        now = _watching(changes.known(at), kind, device)
        if not found or found[-1].found != now:
            found.append(InForceFrom(at, now))
    return found


def line(cells: Iterable[Any]) -> str:
    """One line of CSV (RFC 4180)."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow([_cell(each) for each in cells])
    return text.getvalue()


def lines(rows: Iterable[Iterable[Any]]) -> str:
    """Lines of CSV; 1.5 µs a cell."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([_cell(each) for each in row] for row in rows)
    return text.getvalue()


@cache
def quality_words(qc: int, reason: int) -> tuple[str, str]:
    """What a code and its reasons mean: "suspect", "spike late"."""
    names = [each.name.lower() for each in Reason if each & reason and each.name]
    return QC_WORDS.get(qc, str(qc)), " ".join(names)


def cut_line(what: str, most: int, setting: str = "") -> str:
    """What a file says at its end when it does not hold everything."""
    return line([f"# CUT HERE / DIPOTONG DI SINI: {what} {most} {setting}".rstrip()])


def _watching(known: Sequence[InForce], kind: str, device: Device | None) -> InForce | None:
    if device is None:
        # Of a group or of the installation: such rules have no scope.
        general = [each for each in known if not each.rule.scope and each.rule.kind in (kind, "*")]
        return min(general, key=lambda each: each.rule.kind == "*", default=None)
    for watch in Watched(tuple(each.rule for each in known), Fleet([device])).of(device.kind).values():
        rule = watch.on(0)
        return next((each for each in known if each.rule is rule), None)
    return None


def _cell(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value
