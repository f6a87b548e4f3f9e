"""What the event log says of alerts: each from raising to clearing, and whether its row agrees. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from alerts.life import OF_THE_RULE
from siaga.verify.report import Finding
from siaga.verify.window import Window
from storage.audit import Alert, Transition


class Step(NamedTuple):
    at_us: int
    severity: int


@dataclass(eq=False)
class Episode:
    """One alert while it stood; cleared_us None: it still does. An alert that comes back is another one."""

    rule: str
    device_id: str
    alert_id: int
    steps: list[Step] = field(default_factory=list)
    cleared_us: int | None = None

    @property
    def opened_us(self) -> int:
        return self.steps[0].at_us

    @property
    def peak(self) -> int:
        return max(step.severity for step in self.steps)

    def until(self, end_us: int) -> Episode:
        """As it was at a time; its first step stays."""
        steps = [self.steps[0], *(step for step in self.steps[1:] if step.at_us <= end_us)]
        cleared_us = None if self.cleared_us is None or self.cleared_us > end_us else self.cleared_us
        return Episode(self.rule, self.device_id, self.alert_id, steps, cleared_us)


def episodes(alerts: Mapping[int, Alert], transitions: Iterable[Transition]) -> list[Episode]:
    """In order of raising. transitions: in order of the event log."""
    found: list[Episode] = []
    standing: dict[tuple[str, str], Episode] = {}
    for each in transitions:
        alert = alerts[each.alert_id]
        key = (alert.rule, alert.device_id)
        if each.what not in OF_THE_RULE:
            continue
        if each.what == "cleared":
            if key in standing:
                standing.pop(key).cleared_us = each.at_us
            continue
        assert each.to_severity is not None
        if each.what == "raised" or key not in standing:
            standing[key] = Episode(alert.rule, alert.device_id, alert.id, [Step(each.at_us, each.to_severity)])
            found.append(standing[key])
        elif each.to_severity != standing[key].steps[-1].severity:  # going live may leave the level as it is
            standing[key].steps.append(Step(each.at_us, each.to_severity))
    return found


def disagreeing(alerts: Mapping[int, Alert], transitions: Iterable[Transition]) -> Iterator[Finding]:
    """Alerts whose row is not what their transitions come to, and those without any."""
    by_alert: defaultdict[int, list[Transition]] = defaultdict(list)
    for each in transitions:
        if each.what in OF_THE_RULE:
            by_alert[each.alert_id].append(each)
    for alert in alerts.values():
        history = by_alert.get(alert.id)
        if not history:
            detail = f"{alert.rule} (id {alert.id}) has no transitions"
            yield Finding("different", "alert", alert.device_id, alert.raised_us, detail)
        elif wrong := _wrong(alert, history):
            detail = f"{alert.rule} (id {alert.id}): {'; '.join(wrong)}"
            yield Finding("different", "alert", alert.device_id, alert.raised_us, detail)


def late(
    alerts: Mapping[int, Alert], transitions: Iterable[Transition], window: Window, late_s: float
) -> Iterator[Finding]:
    """Transitions within the window detected later than late_s after the arrival of the reading that caused them."""
    for each in transitions:
        if each.what not in OF_THE_RULE or not window.holds(each.at_us):
            continue
        if each.delay_s is None or each.delay_s <= late_s:
            continue
        alert = alerts[each.alert_id]
        detail = f"{alert.rule} {each.what} {each.delay_s:.1f} s after its reading, limit {late_s:g} s"
        yield Finding("late", "transition", alert.device_id, each.at_us, detail)


def _wrong(alert: Alert, history: Sequence[Transition]) -> list[str]:
    last = history[-1]
    severities = [each.to_severity for each in history if each.to_severity is not None]
    active = last.what != "cleared"
    wanted = {
        "severity": severities[-1] if severities else None,
        "peak_severity": max(severities, default=None),
        "siaga": last.siaga,
        "active": active,
    }
    times = {"raised_at": history[0].at_us == alert.raised_us}
    times["cleared_at"] = alert.cleared_us == (None if active else last.at_us)
    wrong = [
        f"{name} is {getattr(alert, name)}, its transitions say {value}"
        for name, value in wanted.items()
        if getattr(alert, name) != value
    ]
    return wrong + [f"{name} is not what its transitions say" for name, right in times.items() if not right]
