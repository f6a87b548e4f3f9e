"""What a notice says: place first, then event, level, value, time, who is on it, what to do and where to look.

In Indonesian or in English, by the regency's clock. The words of each language stand in one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alerts.notice_plan import Language
from alerts.notice_route import Kind, Why
from alerts.rule import Level
from alerts.words import LEVELS, MONTHS_ID, NORMAL, SEVERITIES, title
from devices.kind import Label
from devices.kinds import KINDS
from storage.notices import Facts

MINUTE, HOUR, DAY = 60, 3_600, 86_400


class Words(NamedTuple):
    """Everything that a language says; {} takes what is spoken of."""

    severities: tuple[str, ...]
    months: tuple[str, ...]
    clock: str
    decimal: str
    severity: str
    per_hour: str
    since: str  # time, how long ago
    just_now: str
    nobody: str
    acked_by: str
    assigned_to: str
    to_do: str
    to_do_by: str
    lasted: str  # how long, worst
    more: str
    and_more: str
    digest: str
    came_and_went: str
    suffixes: dict[str, str]
    units: tuple[str, str, str]  # days, hours, minutes
    test: tuple[str, str]


WORDS: dict[Language, Words] = {
    "id": Words(
        severities=tuple(each.id for each in SEVERITIES),
        months=MONTHS_ID,
        clock="%H.%M",  # the full stop parts hours and minutes (EYD)
        decimal=",",
        severity="Keparahan: {}",
        per_hour="/jam",
        since="Sejak {}, {} yang lalu",
        just_now="Pukul {}",
        nobody="Belum ada yang menangani",
        acked_by="Ditangani oleh {}",
        assigned_to="Ditugaskan kepada {}, belum dikonfirmasi",
        to_do="Tindakan: {}",
        to_do_by="Tindakan ({}): {}",
        lasted="Berlangsung {}, terparah {}",
        more="dan {} lainnya",
        and_more="{} dan {} lainnya",
        digest="Ringkasan jam tenang: {} peringatan, {} masih berlangsung",
        came_and_went="{} sudah pulih dengan sendirinya",
        suffixes={
            "over": " – pulih",
            "back": " – masih berlangsung",
            "again": " – konfirmasinya dibatalkan",
            "repeat": " – belum dikonfirmasi",
            "escalated": " – eskalasi, belum dikonfirmasi",
        },
        units=("hari", "jam", "menit"),
        test=("Pesan percobaan", "Pesan percobaan dari Siaga untuk {}. Tidak ada yang perlu dilakukan."),
    ),
    "en": Words(
        severities=tuple(each.en.lower() for each in SEVERITIES),
        months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
        clock="%H:%M",
        decimal=".",
        severity="Severity: {}",
        per_hour="/h",
        since="Since {}, {} ago",
        just_now="At {}",
        nobody="Nobody is on it yet",
        acked_by="{} is on it",
        assigned_to="Assigned to {}, not yet acknowledged",
        to_do="To do: {}",
        to_do_by="To do ({}): {}",
        lasted="Lasted {}, at worst {}",
        more="and {} more",
        and_more="{} and {} more",
        digest="Digest of the quiet hours: {} alerts, {} still standing",
        came_and_went="{} are over by themselves",
        suffixes={
            "over": " – over",
            "back": " – still standing",
            "again": " – no longer acknowledged",
            "repeat": " – not yet acknowledged",
            "escalated": " – escalated, not yet acknowledged",
        },
        units=("d", "h", "min"),
        test=("Test message", "A test message from Siaga for {}. Nothing needs to be done."),
    ),
}


class Text(NamedTuple):
    title: str
    body: str


class Place(NamedTuple):
    """Where and when a message is written. api_url: where links lead, if anywhere; lines: alerts named at most."""

    regency: str
    zone: ZoneInfo
    api_url: str | None
    lines: int
    now: datetime


class Story(NamedTuple):
    """What a message tells: alerts, worst first, and of the first how fast its value rises and what its level asks for.

    why: of an alert that is told alone. gone: of a digest, how many came and went.
    """

    what: Kind
    alerts: Sequence[Facts]
    per_hour: float | None = None
    level: Level | None = None
    why: Why | None = None
    gone: int = 0


def compose(story: Story, language: Language, place: Place) -> Text:
    """The words of a message."""
    words = WORDS[language]
    if story.what == "digest":
        return _digest(story, words, language, place)
    first = story.alerts[0]
    name = _title(first, story, words, language)
    if len(story.alerts) == 1:
        return Text(name, _body(_told_alone(story, first, words, language, place), place, f"?id={first.alert_id}"))
    lines = [*_listed(story, words, language, place), "", *_to_do(story, words, language)]
    return Text(words.and_more.format(name, len(story.alerts) - 1), _body(lines, place))


def trial(who: str, language: Language, place: Place) -> Text:
    """What a test says."""
    headline, body = WORDS[language].test
    return Text(headline, _body([body.format(who), _time(place.now, WORDS[language], place)], place))


def _digest(story: Story, words: Words, language: Language, place: Place) -> Text:
    lines = _listed(story, words, language, place)
    if story.gone:
        lines.append(words.came_and_went.format(story.gone))
    count = len(story.alerts)
    return Text(words.digest.format(count + story.gone, count), _body(lines, place))


def _told_alone(story: Story, alert: Facts, words: Words, language: Language, place: Place) -> list[str]:
    value = _value(alert, story.per_hour, words, language)
    if story.what == "over":
        return [value, _lasted(alert, words), _time(alert.cleared_at or place.now, words, place)]
    return [
        _level(alert.siaga, alert.severity, words),
        value,
        _since(alert, words, place),
        _who(alert, words),
        *_to_do(story, words, language),
    ]


def _listed(story: Story, words: Words, language: Language, place: Place) -> list[str]:
    lines = []
    for alert in story.alerts[: place.lines]:
        if story.what == "over":
            facts = [_lasted(alert, words)]
        else:
            level = _level(alert.siaga, alert.severity, words)
            facts = [level, _value(alert, None, words, language), _time(alert.raised_at, words, place)]
        lines.append(f"• {_title(alert, story, words, language, bare=True)}: {'; '.join(filter(None, facts))}")
    if (more := len(story.alerts) - place.lines) > 0:
        lines.append(words.more.format(more))
    return lines


def _title(alert: Facts, story: Story, words: Words, language: Language, bare: bool = False) -> str:
    siaga = alert.siaga
    eased = alert.active and alert.severity < alert.peak_severity
    text = _said(title(alert.rule, alert.name, siaga, eased, alert.members), language)
    if bare or (story.what == "over" and siaga == NORMAL):  # "is back at Siaga 4" says it
        return text
    suffix = words.suffixes.get(story.what) or ""
    if len(story.alerts) == 1 and story.why is not None:
        suffix = words.suffixes.get(story.why, suffix)
    return text + suffix


def _body(lines: Sequence[str], place: Place, which: str = "") -> str:
    link = f"{place.api_url.rstrip('/')}/peringatan{which}" if place.api_url else ""
    return "\n".join(line for line in (*lines, place.regency, link) if line)


def _value(alert: Facts, per_hour: float | None, words: Words, language: Language) -> str:
    kind = KINDS.get(alert.kind)
    metric = kind.metrics.get(alert.metric) if kind and alert.metric else None
    if metric is None or alert.value is None:
        return ""
    sign = _said(metric.sign, language) if metric.sign else metric.unit
    text = f"{_said(metric.label, language)} {_number(alert.value, metric.decimals, words)} {sign}".rstrip()
    if per_hour is None:
        return text
    return f"{text}, {_number(per_hour, metric.decimals, words, '+')} {sign}{words.per_hour}"


def _number(value: float, decimals: int, words: Words, sign: str = "") -> str:
    value = round(value, decimals) + 0.0  # no minus before a zero
    return f"{value:{sign}.{decimals}f}".replace(".", words.decimal).replace("-", "−")


def _level(siaga: int | None, severity: int, words: Words) -> str:
    if siaga is not None:
        return f"Siaga {siaga} ({LEVELS[siaga]})"
    return words.severity.format(words.severities[severity])


def _since(alert: Facts, words: Words, place: Place) -> str:
    at = _time(alert.raised_at, words, place)
    ago = place.now - alert.raised_at
    return words.just_now.format(at) if ago < timedelta(minutes=1) else words.since.format(at, _span(ago, words))


def _who(alert: Facts, words: Words) -> str:
    if alert.acked_by:
        return words.acked_by.format(alert.acked_by)
    return words.assigned_to.format(alert.assignee) if alert.assignee else words.nobody


def _to_do(story: Story, words: Words, language: Language) -> list[str]:
    level = story.level
    if level is None or level.sop is None or story.what == "over":
        return []
    sop = level.sop.id if language == "id" else level.sop.en
    return [words.to_do_by.format(level.role, sop) if level.role else words.to_do.format(sop)]


def _lasted(alert: Facts, words: Words) -> str:
    if alert.cleared_at is None:
        return ""
    worst = _level(alert.worst_siaga, alert.peak_severity, words).removeprefix(words.severity.format(""))
    return words.lasted.format(_span(alert.cleared_at - alert.raised_at, words), worst)


def _span(span: timedelta, words: Words) -> str:
    """The two largest units of a duration: 2 jam 10 menit."""
    left = max(int(span.total_seconds()), 0)
    found: list[str] = []
    for size, unit in zip((DAY, HOUR, MINUTE), words.units, strict=True):
        number, left = divmod(left, size)
        if number or (unit == words.units[-1] and not found):
            found.append(f"{number} {unit}")
    return " ".join(found[:2])


def _time(at: datetime, words: Words, place: Place) -> str:
    local = at.astimezone(place.zone)
    return f"{local.strftime(words.clock)} {local.tzname()}, {local.day} {words.months[local.month - 1]} {local.year}"


def _said(label: Label, language: Language) -> str:
    return label.id if language == "id" else label.en
