"""Everything compared, at one moment of the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg

from alerts.rule import BY_WORKER, shipped
from ingest.intake import STRANGER
from siaga.verify import alerts, episodes, incidents, quarantine, waiting
from siaga.verify.api import Api
from siaga.verify.of_kind import Checked, check
from siaga.verify.report import Account, AlertTally, Finding, Report
from siaga.verify.sent import STORED, OfKind
from siaga.verify.window import Window
from simulator.truth.folder import Truth
from storage import audit

MS_US = 1_000
OF_THE_WORKER = frozenset(rule.id for rule in shipped() if rule.condition in BY_WORKER)
# A device whose clock runs ahead, or a run that went on a little, still belongs to it.
AFTER_US = 86_400_000_000


class _Alerts(NamedTuple):
    """Of one kind: as stored, and what came of comparing them. doubtful: differences that may be the broker's."""

    stored: Mapping[int, audit.Alert]
    transitions: Sequence[audit.Transition]
    findings: Sequence[Finding]
    doubtful: int
    tally: AlertTally


def examine(
    conn: psycopg.Connection[Any], truth: Truth, told: Sequence[OfKind], zone: ZoneInfo, late_s: float, api: Api | None
) -> Report:
    """Compare all. Call it within a transaction that sees one moment."""
    run = Window(truth.summary.start_ms * MS_US, truth.summary.end_ms * MS_US)
    window = Window(run.since_us, run.until_us + AFTER_US)
    lines = [*(device for of in told for device in of.devices), STRANGER]
    kept = audit.quarantine(conn, lines)
    in_quarantine = quarantine.compare({of.kind.name: of.quarantined for of in told}, kept)
    findings = [*in_quarantine.findings, *quarantine.agree(kept, audit.ledger_totals(conn, lines))]
    replayed = quarantine.replayed(kept)
    over_cap = {each.device_id for each in kept if each.over_cap and each.reason == "conflict"}
    shaken: set[str] = set()
    kinds: list[Checked] = []
    of_alerts: list[_Alerts] = []
    for of in told:
        pending = waiting.pending(conn, of)
        asked = run.reaching(of.sent.rows.at_us[of.sent.outcome == STORED])
        kinds.append(checked := check(conn, of, window, asked, zone, not pending, over_cap, replayed))
        doubtful = checked.shaken | of.unsure.keys() | replayed.keys()
        shaken |= doubtful
        of_alerts.append(raised := _alerts(conn, truth, of, run, late_s, doubtful, replayed.keys()))
        findings += [*checked.findings, *_waiting(of, pending), *raised.findings]
        if api is not None:
            api.compare_latest(of.kind, of.devices, audit.newest(conn, of.kind, of.devices))
            api.compare_alerts(of.kind, of.devices, raised.stored, raised.transitions)
            api.compare_missing(checked.numbers, asked)
            if not pending:
                api.compare_hours(of.kind, of.devices, checked.hours, asked)
    groups = incidents.subjects(truth.fleet)
    grouped = incidents.compare(truth.incidents, audit.incidents(conn, list(groups)), run, groups, shaken)
    return Report(
        scenario=truth.summary.scenario,
        seed=truth.summary.seed,
        devices=len(truth.fleet),
        accounts=[
            _account(of, checked, in_quarantine.quarantined[of.kind.name])
            for of, checked in zip(told, kinds, strict=True)
        ],
        rollups=dict(sum((checked.buckets for checked in kinds), Counter())),
        alerts=AlertTally(*map(sum, zip(*(each.tally for each in of_alerts), strict=True))),
        api=api.tally if api is not None else None,
        incidents=grouped.tally,
        findings=[*findings, *grouped.findings, *(api.findings if api is not None else ())],
        notes=list(
            _notes(
                truth,
                sum(checked.replayed for checked in kinds),
                sum(checked.again for checked in kinds),
                sum(checked.excused.total() for checked in kinds),
                sum(each.doubtful for each in of_alerts) + grouped.doubtful,
            )
        ),
    )


def _alerts(
    conn: psycopg.Connection[Any], truth: Truth, of: OfKind, run: Window, late_s: float, doubtful: Collection[str],
    replayed: Collection[str],
) -> _Alerts:  # fmt: skip
    """replayed: devices whose readings may have waited long in quarantine before they could raise anything."""
    stored = {alert.id: alert for alert in audit.alerts(conn, of.devices)}
    transitions = audit.transitions(conn, of.kind, of.devices)
    own = frozenset(of.devices)
    expected = [one for one in truth.alerts if one.device_id in own]
    # What the worker judges, forecasts and nights, the truth does not know.
    raised = [each for each in episodes.episodes(stored, transitions) if each.rule not in OF_THE_WORKER]
    matched = alerts.match(expected, raised, run, doubtful)
    late = [each for each in episodes.late(stored, transitions, run, late_s) if each.device_id not in replayed]
    must = sum(one.must and one.device_id not in doubtful for one in expected)
    return _Alerts(
        stored,
        transitions,
        [*matched.findings, *episodes.disagreeing(stored, transitions), *late],
        len(matched.doubtful),
        AlertTally(must, len(expected) - must, matched.found, matched.missing, matched.extra, matched.wrong, len(late)),
    )


def _account(of: OfKind, checked: Checked, quarantined: int) -> Account:
    unsure = sum(of.unsure.values()) - checked.stored_unsure
    accounted = checked.stored + checked.duplicate + checked.conflict + quarantined + unsure
    return Account(
        of.kind.name, of.published, checked.stored, checked.duplicate, checked.conflict, quarantined, unsure,
        of.outcomes["not_sent"], of.published - accounted, checked.extra,
    )  # fmt: skip


def _waiting(of: OfKind, pending: int) -> Iterator[Finding]:
    if pending:
        detail = f"buckets of {of.kind.name} that wait for the worker: {pending}; none of the kind were compared"
        yield Finding("pending", "rollup_mark", "", None, detail)


def _notes(truth: Truth, replayed: int, again: int, excused: int, doubtful: int) -> Iterator[str]:
    if replayed:
        yield f"readings that a replay took out of quarantine: {replayed:,}"
    if again:
        yield f"delivered again and counted as duplicates: {again:,}"
    if excused:
        yield f"other flags over time, as readings arrived out of order or may be lost: {excused:,}"
    for why, number in sorted(Counter(truth.unsure.values()).items()):
        yield f"messages that may be lost, {why}: {number:,}"
    if doubtful:
        why = "messages may be lost, came out of order or were replayed"
        yield f"alerts that differ on devices whose {why}: {doubtful:,}"
