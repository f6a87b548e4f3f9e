"""The page of an incident file: what somebody reads who was not there. Indonesian, printable, without scripts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from alerts.incident_file import Row, Seal, Span
from alerts.rule import Level
from alerts.words import LEVELS, MONTHS_ID, SEVERITIES, title
from devices.kinds import KINDS

EVENTS = {
    "raised": "muncul", "worsened": "memburuk", "eased": "membaik", "cleared": "pulih",
    "went_live": "menjadi peringatan langsung",
    "acked": "diakui", "unacked": "pengakuan ditarik", "shelved": "ditunda", "unshelved": "penundaan berakhir",
    "commented": "catatan", "assigned": "ditugaskan", "suppressed": "ditahan", "released": "tidak lagi ditahan",
}  # fmt: skip
OUTCOMES = {"hit": "tercapai", "false": "tidak tercapai", "unknown": "tidak diketahui", None: "belum diketahui"}
STATES = {"sent": "terkirim", "waiting": "menunggu", "failed": "gagal, dicoba lagi", "dead": "tidak terkirim"}
STYLE = (
    "body{font:14px/1.45 sans-serif;color:#111;max-width:46rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem;"
    "margin-bottom:.2rem}h2{font-size:1.1rem;margin:1.6rem 0 .4rem;border-bottom:1px solid #999}table{border-collapse:"
    "collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.2rem .5rem .2rem 0;border-bottom:1px solid "
    "#ddd}td.n{white-space:nowrap}svg{max-width:100%;height:auto}.cut{border:2px solid #c00;padding:.4rem .6rem}code{"
    "font-size:.85em;word-break:break-all}@media print{body{margin:0;max-width:none}h2{break-after:avoid}tr,svg{"
    "break-inside:avoid}}"
)
NOTHING = "<p>Tidak ada.</p>"
SHOWN_MOST = 200


class Story(NamedTuple):
    """What the page tells. history: of the alert itself; members: the first of member_count. cut: what is missing in
    the files, in words. level: the worst rung that was reached, with who is in charge and what is to be done."""

    alert: Row
    history: Sequence[Row]
    history_count: int
    members: Sequence[Row]
    member_count: int
    level: Level | None
    forecasts: Sequence[Row]
    notices: Sequence[Row]
    readings: int
    span: Span
    cut: Sequence[str]
    curve: str
    map: str
    regency: str
    zone: ZoneInfo
    made_at: datetime


def headline(alert: Row) -> str:
    """Place first, then what happened at its worst."""
    text = title(alert["rule"], alert["device_name"], alert["worst_siaga"]).id
    return text if alert["state"] == "active" else f"{text} – sudah pulih"


def page(story: Story, seal: Seal) -> str:
    """The whole document."""
    parts = [_head(story), *(f'<p class="cut"><strong>{escape(each)}</strong></p>' for each in story.cut)]
    parts += [_section("Riwayat", _history(story))]
    if story.curve:
        parts.append(_section("Grafik", story.curve))
    parts += [
        _section("Penanganan", _charge(story.level)),
        _section(f"Perangkat yang terdampak ({story.member_count})", _members(story)) if story.member_count else "",
        _section("Prakiraan", _forecasts(story)),
        _section("Pemberitahuan", _notices(story)),
        _section("Peta", story.map),
        _section("Keutuhan", _sealed(story, seal)),
    ]
    name = escape(headline(story.alert))
    return (
        f'<!doctype html>\n<html lang="id"><head><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style>'
        f"</head><body>{''.join(parts)}</body></html>\n"
    )


def clock(at: datetime | str | None, zone: ZoneInfo) -> str:
    """24 Nov 2026, 19.10.05 WIB"""
    if at is None:
        return "–"
    local = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(zone)
    return f"{local.day} {MONTHS_ID[local.month - 1]} {local.year}, {local:%H.%M.%S} {local.tzname()}"


def _head(story: Story) -> str:
    alert = story.alert
    facts = [
        ("Peringatan", f"nomor {alert['id']}, aturan {alert['rule']}"),
        ("Perangkat", f"{alert['device_name']} ({alert['device_id']})"),
        ("Muncul", clock(alert["raised_at"], story.zone)),
        ("Terdeteksi", clock(alert["detected_at"], story.zone)),
        ("Pulih", clock(alert["cleared_at"], story.zone)),
        ("Terparah", _level(alert["worst_siaga"], alert["peak_severity"])),
        ("Diakui oleh", f"{alert['acked_by']}, {clock(alert['acked_at'], story.zone)}" if alert["acked"] else "belum"),
    ]
    if alert["historical"]:
        facts.append(("Catatan", "bersejarah: dari data yang terlambat"))
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in facts)
    return f"<h1>{escape(headline(alert))}</h1><p>{escape(story.regency)}</p><table>{rows}</table>"


def _history(story: Story) -> str:
    unit = _unit(story.alert)
    rows = [
        (
            clock(each["event_at"], story.zone),
            EVENTS.get(each["what"], each["what"]),
            _level(each["siaga"], each["to_severity"]),
            "" if each["value"] is None else f"{_number(each['value'])} {unit}",
            each["who"] or "aturan",
            each["why"] or "",
        )
        for each in story.history
    ]
    text = _table(("Waktu", "Kejadian", "Tingkat", "Nilai", "Oleh", "Alasan"), rows)
    left = story.history_count - len(story.history)
    return text + (f"<p>dan {left} kejadian lain dalam transitions.csv.</p>" if left else "")


def _charge(level: Level | None) -> str:
    if level is None or not (level.role or level.sop):
        return "<p>Aturan ini tidak menyebut penanggung jawab atau prosedur.</p>"
    role = f"<p>Penanggung jawab: {escape(level.role)}</p>" if level.role else ""
    return role + (f"<p>Prosedur: {escape(level.sop.id)}</p>" if level.sop else "")


def _members(story: Story) -> str:
    rows = [
        (each["device_name"], each["rule"], clock(each["raised_at"], story.zone), clock(each["cleared_at"], story.zone))
        for each in story.members
    ]
    left = story.member_count - len(story.members)
    text = _table(("Perangkat", "Aturan", "Muncul", "Pulih"), rows)
    return text + (f"<p>dan {left} perangkat lain dalam transitions.csv.</p>" if left else "")


def _forecasts(story: Story) -> str:
    rows = [
        (
            clock(each["as_of"], story.zone),
            f"Siaga {each['siaga']}",
            f"{clock(each['earliest'], story.zone)} sampai {clock(each['latest'], story.zone)}",
            ", ".join(
                [OUTCOMES[each["outcome"]], *([clock(each["reached_at"], story.zone)] if each["reached_at"] else [])]
            ),
        )
        for each in story.forecasts
    ]
    return _table(("Dibuat dari pembacaan", "Tingkat", "Diperkirakan antara", "Hasil"), rows) if rows else NOTHING


def _notices(story: Story) -> str:
    rows = [
        (
            clock(each["sent_at"] or each["made_at"], story.zone),
            each["who"],
            each["channel"],
            each["title"],
            STATES.get(each["state"], each["state"]),
        )
        for each in story.notices
    ]
    return _table(("Waktu", "Kepada", "Melalui", "Judul", "Keadaan"), rows) if rows else NOTHING


def _sealed(story: Story, seal: Seal) -> str:
    since, until = clock(story.span.since, story.zone), clock(story.span.until, story.zone)
    return (
        f"<p>{story.readings} pembacaan dari {since} sampai {until}. Dibuat {clock(story.made_at, story.zone)}.</p>"
        "<p>SHA256SUMS memuat jumlah SHA-256 setiap berkas. Akhir rantai berkas data, yang berubah bila satu berkas"
        f" diubah:</p><p><code>{seal.chain}</code></p>"
    )


def _section(name: str, body: str) -> str:
    return f"<h2>{escape(name)}</h2>{body}"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td{_first(n)}>{escape(str(cell))}</td>" for n, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"


def _first(number: int) -> str:
    return "" if number else ' class="n"'


def _level(siaga: int | None, severity: int | None) -> str:
    if siaga is not None:
        return f"Siaga {siaga} ({LEVELS[siaga]})"
    return "" if severity is None else f"Keparahan {SEVERITIES[severity].id.lower()}"


def _unit(alert: Row) -> str:
    kind = KINDS.get(alert["kind"])
    metric = kind.metrics.get(alert["metric"] or "") if kind else None
    return "" if metric is None else metric.sign.id if metric.sign else metric.unit


def _number(value: float) -> str:
    return f"{value:.6g}".replace(".", ",")
