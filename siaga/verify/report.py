"""What was found, as a table for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

What = Literal["missing", "extra", "different", "late", "pending", "refused"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Finding(NamedTuple):
    """One difference. where: the table, or the address of the API; at_us: the row's time, µs since 1970 UTC."""

    what: What
    where: str
    device_id: str
    at_us: int | None
    detail: str


@dataclass(frozen=True)
class Account:
    """Readings and packets of one kind: published = stored + duplicate + conflict + quarantined + unsure + missing.

    unsure: the broker may have lost them, and they are not among the stored. not_sent and extra stand beside it.
    """

    kind: str
    published: int
    stored: int
    duplicate: int
    conflict: int
    quarantined: int
    unsure: int
    not_sent: int
    missing: int
    extra: int


class AlertTally(NamedTuple):
    """must and may: expected. found: alerts raised in the time of the truth."""

    must: int
    may: int
    found: int
    missing: int
    extra: int
    wrong: int
    late: int


class IncidentTally(NamedTuple):
    """must and may: expected. found: incidents of the truth's groups in its time."""

    must: int
    may: int
    found: int
    missing: int
    extra: int
    wrong: int


@dataclass(frozen=True)
class ApiTally:
    """How many answers were compared."""

    latest: int
    alerts: int
    hours: int
    missing: int  # devices whose ranges of missing numbers were


@dataclass(frozen=True)
class Report:
    """rollups: buckets compared, by size. api is None where it was not asked. notes: told, but no difference."""

    scenario: str
    seed: int
    devices: int
    accounts: Sequence[Account]
    rollups: dict[str, int]
    alerts: AlertTally
    api: ApiTally | None
    findings: Sequence[Finding]
    notes: Sequence[str] = field(default=())
    incidents: IncidentTally = field(default=IncidentTally(0, 0, 0, 0, 0, 0))

    @property
    def clean(self) -> bool:
        return not self.findings


def time_text(at_us: int, zone: ZoneInfo) -> str:
    """RFC 3339 in a zone; with a fraction of a second only where there is one. Beyond the calendar: the number."""
    try:
        at = (EPOCH + timedelta(microseconds=at_us)).astimezone(zone)
    except OverflowError:
        return f"{at_us} µs after 1970"
    return at.isoformat(timespec="auto" if at_us % 1000 else "milliseconds" if at_us % 1_000_000 else "seconds")


def micros(text: str) -> int:
    """RFC 3339 as µs since 1970 UTC."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def as_json(report: Report, zone: ZoneInfo) -> str:
    """Everything, with every difference."""
    differences = [
        {
            "what": what, "where": where, "device_id": device_id, "detail": detail,
            "at": None if at_us is None else time_text(at_us, zone),
        }
        for what, where, device_id, at_us, detail in report.findings
    ]  # fmt: skip
    plain: dict[str, Any] = {
        "clean": report.clean, "scenario": report.scenario, "seed": report.seed, "devices": report.devices,
        "readings": [asdict(account) for account in report.accounts], "rollups": report.rollups,
        "alerts": report.alerts._asdict(), "incidents": report.incidents._asdict(),
        "api": asdict(report.api) if report.api else None,
        "notes": list(report.notes), "differences": differences,
    }  # fmt: skip
    return json.dumps(plain, indent=2, ensure_ascii=False)


def as_text(report: Report, zone: ZoneInfo, most: int) -> str:
    """For people; `most` differences at most."""
    lines = [f"Scenario {report.scenario}, seed {report.seed}, {report.devices:,} devices", ""]
    lines += _table(report.accounts)
    buckets = ", ".join(f"{number:,} of {size}" for size, number in report.rollups.items())
    alerts = report.alerts
    raised = f"{alerts.found:,} found, {alerts.missing:,} missing, {alerts.extra:,} extra"
    lines += [
        "",
        f"Rollups  {buckets} compared with their readings" if buckets else "Rollups  not compared",
        f"Alerts   {alerts.must:,} must and {alerts.may:,} may be; {raised}, {alerts.wrong} wrong, {alerts.late} late",
        _incident_line(report.incidents),
        _api_line(report.api),
    ]
    lines += [f"Note     {note}" for note in report.notes]
    if report.findings:
        lines += ["", *_differences(report.findings[:most], zone)]
    if (left := len(report.findings) - most) > 0:
        lines.append(f"… and {left:,} more; --json lists all, --most more of them")
    number = len(report.findings)
    lines += ["", f"NOT clean: {number:,} difference{'s' * (number != 1)}" if number else "Clean: no difference"]
    return "\n".join(lines)


def _incident_line(tally: IncidentTally) -> str:
    found = f"{tally.found:,} found, {tally.missing:,} missing, {tally.extra:,} extra, {tally.wrong:,} wrong"
    return f"Incidents  {tally.must:,} must and {tally.may:,} may be; {found}"


def _api_line(api: ApiTally | None) -> str:
    if api is None:
        return "API      not compared: SIAGA_API_URL and SIAGA_API_KEY are not both set"
    asked = f"{api.latest:,} latest values, {api.alerts:,} alerts, {api.hours:,} device hours"
    return f"API      {asked} and missing numbers of {api.missing:,} devices compared"


def _table(accounts: Sequence[Account]) -> Iterator[str]:
    names = ["published", "stored", "duplicate", "conflict", "quarantined", "unsure", "not_sent", "missing", "extra"]
    if not any(account.unsure for account in accounts):
        names.remove("unsure")
    rows = [["", *(name.replace("_", " ") for name in names)]]
    rows += [[account.kind, *(f"{getattr(account, name):,}" for name in names)] for account in accounts]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names) + 1)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells)


def _differences(findings: Sequence[Finding], zone: ZoneInfo) -> Iterator[str]:
    for what, where, device_id, at_us, detail in findings:
        parts = (what, where, device_id, "" if at_us is None else time_text(at_us, zone), detail)
        yield "  ".join(part for part in parts if part)
