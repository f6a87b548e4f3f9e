"""What a notice says: place first, then event, value, time and where to look. In Indonesian, by the regency's clock."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alerts.words import NORMAL, title
from devices.kinds import KINDS
from storage.notices import Facts

SEVERITIES = ("Rendah", "Sedang", "Tinggi", "Kritis")
LEVELS = {4: "Normal", 3: "Waspada", 2: "Siaga", 1: "Awas"}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des")
# It was held back, by a shelf or by work on the device, and is still there.
COMING_BACK = ("unshelved", "released")


class Text(NamedTuple):
    title: str
    body: str


def compose(facts: Facts, per_hour: float | None, zone: ZoneInfo, regency: str, api_url: str | None) -> Text:
    """The words for one transition; per_hour is how fast its value rises, where that is known and matters."""
    over = facts.what == "cleared"
    headline = title(facts.rule, facts.name, facts.siaga).id
    if over and facts.siaga != NORMAL:
        headline += " – pulih"
    if facts.what in COMING_BACK:
        headline += " – masih berlangsung"
    lines = [_value(facts, per_hour), _level(facts), f"Pukul {_time(facts.event_at.astimezone(zone))}", regency]
    if api_url:
        lines.append(f"{api_url.rstrip('/')}/peringatan?id={facts.alert_id}")
    return Text(headline, "\n".join(line for line in lines if line))


def _value(facts: Facts, per_hour: float | None) -> str:
    kind = KINDS.get(facts.kind)
    metric = kind.metrics.get(facts.metric) if kind and facts.metric else None
    if metric is None or facts.value is None:
        return ""
    sign = metric.sign.id if metric.sign else metric.unit
    text = f"{metric.label.id} {_number(facts.value, metric.decimals)} {sign}".rstrip()
    return text if per_hour is None else f"{text}, {_number(per_hour, metric.decimals, '+')} {sign}/jam"


def _number(value: float, decimals: int, sign: str = "") -> str:
    value = round(value, decimals) + 0.0  # no minus before a zero
    return f"{value:{sign}.{decimals}f}".replace(".", ",").replace("-", "−")


def _level(facts: Facts) -> str:
    if facts.siaga is not None:
        return f"Siaga {facts.siaga} ({LEVELS[facts.siaga]})"
    return "" if facts.to_severity is None else f"Keparahan: {SEVERITIES[facts.to_severity]}"


def _time(local: datetime) -> str:
    """01.07 WIB, 24 Nov 2026: the full stop parts hours and minutes (EYD)."""
    return f"{local:%H.%M} {local.tzname()}, {local.day} {MONTHS[local.month - 1]} {local.year}"
