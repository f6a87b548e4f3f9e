"""The truth of a run: what was sent, what was done to it, and what must come of it. Format: docs/simulator.md.

The same scenario, seed and start give the same bytes, whatever the machine, the speed or the windows of time. Only
what the broker did differs between runs, and it has a file of its own: messages it may have lost.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from devices.device import Device
from devices.fleet_csv import read_csv, write_csv
from devices.kinds import KINDS

FORMAT = 3
SUMMARY, FLEET, ALERTS, INCIDENTS, UNSURE = "truth.json", "fleet.csv", "alerts.jsonl", "incidents.jsonl", "unsure.csv"

# not_sent: measured, but lost before the broker. All but the first four are reasons of quarantine.
Outcome = Literal[
    "stored", "duplicate", "not_sent", "conflict", "malformed", "too_large", "unknown_device", "identity_mismatch",
    "future_timestamp", "too_old",
]  # fmt: skip
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
# past: everything was older than the live window when it was sent. live: everything was sent as it was measured.
Clock = Literal["past", "live"]
FIXED = (
    "message", "device_id", "topic", "at_ms", "ts_ms", "seq", "boot", "outcome", "qc", "reason", "faults",
)  # fmt: skip


class TruthError(Exception):
    """The folder holds no truth that can be read; the message names the file."""


class Told(NamedTuple):
    """One reading, or one packet that is none (ts_ms None): what became of it.

    message: number of its MQTT message in order of sending, -1 when it was not sent. topic: empty where it is the
    device's own. at_ms: when it was measured. ts_ms: when it says so. qc and reason: the flag it is stored with and
    why (devices/quality.py, but LATE). values: the kind's metrics as they must be stored.
    """

    message: int
    device_id: str
    topic: str
    at_ms: int
    ts_ms: int | None
    seq: int | None
    boot: str | None
    outcome: Outcome
    qc: int | None
    reason: int | None
    faults: str
    values: dict[str, float | None]


class Step(NamedTuple):
    """A severity (0 low … 3 critical) that an alert comes to, and the time of the reading that brings it there."""

    at_ms: int
    severity: int


class Expected(NamedTuple):
    """One alert from raising to clearing (None: it stands at the end).

    must: it has to appear; otherwise it may, as the order of arrival decides. tolerance_s: how far each time may be
    off; where it is not 0, only opening, peak, first time at the peak and clearing are meant, and steps has no others.
    """

    rule: str
    device_id: str
    must: bool
    steps: tuple[Step, ...]
    cleared_ms: int | None
    tolerance_s: float

    @property
    def peak(self) -> int:
        return max(step.severity for step in self.steps)


class ExpectedIncident(NamedTuple):
    """Many alerts as one: rule, and what its devices share, by attribute and name.

    must: it has to come. devices: how many are under it. closed_ms: None while it stands. tolerance_s: how far each
    time may be off.
    """

    rule: str
    by: str
    name: str
    must: bool
    devices: int
    opened_ms: int
    closed_ms: int | None
    tolerance_s: float


@dataclass(frozen=True)
class Summary:
    """Of the run as planned. Times are epoch ms; outcomes counts readings and packets by what becomes of them."""

    scenario: str
    seed: int
    region: str
    clock: Clock
    start_ms: int
    end_ms: int
    devices: int
    messages: int
    outcomes: dict[str, int]
    alerts: int
    format: int = FORMAT


@dataclass(frozen=True)
class Truth:
    """A folder read. unsure: numbers of messages that may not have arrived, each with why."""

    folder: Path
    summary: Summary
    fleet: tuple[Device, ...]
    alerts: tuple[Expected, ...]
    incidents: tuple[ExpectedIncident, ...] = ()
    unsure: dict[int, str] = field(default_factory=dict)

    def rows(self, kind: str) -> Iterator[Told]:
        """Readings of a kind, in order of sending. Raises TruthError."""
        path = self.folder / _readings(kind)
        if not path.exists():
            return
        metrics = list(KINDS[kind].metrics)
        try:
            with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
                reader = csv.reader(file)
                if next(reader) != [*FIXED, *metrics]:
                    raise TruthError(f"{path}: written by another version, its columns are not those of {kind}")
                for row in reader:
                    yield _told(row, metrics)
        except (OSError, EOFError, ValueError, IndexError, StopIteration) as error:
            raise TruthError(f"{path}: {error}") from None


def read(folder: Path) -> Truth:
    """Raises TruthError."""
    try:
        raw = json.loads((folder / SUMMARY).read_text("utf-8"))
        if raw.get("format") != FORMAT:
            raise TruthError(f"{folder / SUMMARY}: format {raw.get('format')!r}, this version reads {FORMAT}")
        summary = Summary(**raw)
        with (folder / FLEET).open(encoding="utf-8", newline="") as file:
            fleet = tuple(read_csv(file).devices)
        lines = (folder / ALERTS).read_text("utf-8").splitlines()
        alerts = tuple(_expected(json.loads(line)) for line in lines)
        lines = (folder / INCIDENTS).read_text("utf-8").splitlines()
        incidents = tuple(ExpectedIncident(**json.loads(line)) for line in lines)
        unsure = {}
        if (folder / UNSURE).exists():
            with (folder / UNSURE).open(encoding="utf-8", newline="") as file:
                unsure = {int(row["message"]): row["why"] for row in csv.DictReader(file)}
    except FileNotFoundError as error:
        raise TruthError(f"{error.filename} is not there: was the run written with --truth, and to its end?") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TruthError(f"{folder}: no truth of this version: {error}") from None
    return Truth(folder, summary, fleet, alerts, incidents, unsure)


class Writer:
    """Writes a folder; rows go to disk as they come, in order of sending. The folder must be new or empty."""

    def __init__(self, folder: Path, fleet: Sequence[Device]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise TruthError(f"--truth {folder}: the folder is not empty")
        self._folder = folder
        self._files = ExitStack()
        self._writers: dict[str, Any] = {}
        self.outcomes: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
        with (folder / FLEET).open("w", encoding="utf-8", newline="") as file:
            write_csv(file, fleet)

    def add(self, kind: str, told: Told) -> None:
        self.outcomes[told.outcome] += 1
        writer = self._writers.get(kind) or self._opened(kind)
        writer.writerow([*told[:-1], *(told.values.get(name) for name in KINDS[kind].metrics)])

    def finish(
        self, summary: Summary, alerts: Iterable[Expected], unsure: dict[int, str],
        incidents: Iterable[ExpectedIncident] = (),
    ) -> None:  # fmt: skip
        """Write the rest. truth.json comes last: a folder without it is no truth."""
        self.close()
        self._lines(ALERTS, map(_plain, alerts))
        self._lines(INCIDENTS, (one._asdict() for one in incidents))
        if unsure:
            with (self._folder / UNSURE).open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([("message", "why"), *sorted(unsure.items())])
        text = json.dumps(asdict(summary), indent=2, sort_keys=True) + "\n"
        (self._folder / SUMMARY).write_text(text, "utf-8")

    def close(self) -> None:
        self._files.close()

    def _lines(self, name: str, objects: Iterable[dict[str, Any]]) -> None:
        text = "".join(json.dumps(one, sort_keys=True) + "\n" for one in objects)
        (self._folder / name).write_text(text, "utf-8")

    def _opened(self, kind: str) -> Any:
        # No name and no time in the header: they would differ between two runs.
        raw = self._files.enter_context((self._folder / _readings(kind)).open("wb"))
        packed = self._files.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
        text = self._files.enter_context(io.TextIOWrapper(packed, encoding="utf-8", newline=""))
        writer = self._writers[kind] = csv.writer(text, lineterminator="\n")
        writer.writerow([*FIXED, *KINDS[kind].metrics])
        return writer


def _readings(kind: str) -> str:
    return f"readings_{kind}.csv.gz"


def _told(row: list[str], metrics: list[str]) -> Told:
    message, device_id, topic, at_ms, ts_ms, seq, boot, outcome, qc, reason, faults = row[: len(FIXED)]
    values = {name: float(cell) if cell else None for name, cell in zip(metrics, row[len(FIXED) :], strict=True)}
    return Told(
        int(message), device_id, topic, int(at_ms), int(ts_ms) if ts_ms else None, int(seq) if seq else None,
        boot or None, outcome, int(qc) if qc else None, int(reason) if reason else None, faults,  # type: ignore[arg-type]
        values,
    )  # fmt: skip


def _plain(one: Expected) -> dict[str, Any]:
    return one._asdict() | {"steps": [step._asdict() for step in one.steps]}


def _expected(raw: dict[str, Any]) -> Expected:
    return Expected(**raw | {"steps": tuple(Step(**step) for step in raw["steps"])})
