"""What people read of advice on a rule: Indonesian is the master, English is complete."""

from __future__ import annotations

from typing import Literal

from alerts.advice import Effect, Trial
from alerts.advice_changes import Change, What
from devices.kind import Label

Reason = Literal["suspect", "severe", "nothing", "few", "elsewhere", "gone"]
# From this share on readings say more about the sensor than about what it measures.
SUSPECT_FROM = 0.1

CHANGES: dict[What, Label] = {
    "delay_on_s": Label("Jeda aktif {value}", "{value} delay-on"),
    "samples": Label("Menunggu {value} pembacaan berturut-turut", "waiting for {value} readings in a row"),
    "delay_off_s": Label("Jeda pulih {value}", "{value} delay-off"),
    "hysteresis": Label("Histeresis {value}", "a deadband of {value}"),
    "after_s": Label("Batas diam {value}", "{value} of silence"),
}
REMOVES = Label("{change} mengurangi {share}, {delay}", "{change} removes {share}, {delay}")
DELAYS = Label("menambah jeda paling lama {delay}", "adds at most {delay}")
NO_DELAY = Label("tanpa menambah jeda", "adds no delay")
LOSES = Label("; {lost} peringatan singkat tidak akan muncul", "; {lost} short alerts would not come")
NOTHING: dict[Reason, Label] = {
    "suspect": Label(
        "Sensor rusak? {share} pembacaan meragukan atau gagal", "Sensor fault? {share} of the readings are suspect"
    ),
    "severe": Label(
        "Setiap perubahan yang membantu akan menghilangkan atau menunda peringatan berat",
        "Every change that helps would lose or delay a severe alert",
    ),
    "nothing": Label(
        "Jeda yang lebih lama atau histeresis yang lebih besar tidak cukup membantu; periksa sensor dan batasnya",
        "No longer delay and no larger deadband helps enough; look at the sensor and the bound",
    ),
    "few": Label(
        "Pembacaan yang tersimpan terlalu jarang memunculkan peringatan ini untuk memberi saran",
        "The stored readings raise this too seldom to advise on",
    ),
    "elsewhere": Label(
        "Aturan ini tidak dinilai dari pembacaan satu perangkat", "This is not judged by the readings of one device"
    ),
    "gone": Label("Tidak ada lagi aturan ini pada perangkat ini", "No such rule watches this device any more"),
}


def proposal_text(trial: Trial, unit: str) -> Label:
    """What a change comes to: "60 s delay-on removes 83 %, adds at most 60 s". unit: of the bound."""
    indonesian, english = (_proposal(trial.change, trial.effect, unit, comma) for comma in (True, False))
    return Label(indonesian, english)


def nothing_text(reason: Reason, suspect_share: float) -> Label:
    """Why nothing is proposed."""
    text, share = NOTHING[reason], _share(suspect_share)
    return Label(text.id.format(share=share), text.en.format(share=share))


def _proposal(change: Change, effect: Effect, unit: str, comma: bool) -> str:
    def own(label: Label) -> str:
        return label.id if comma else label.en

    delay = own(DELAYS).format(delay=_span(effect.delay_s, comma)) if effect.delay_s else own(NO_DELAY)
    what = own(CHANGES[change.what]).format(value=_value(change, unit, comma))
    text = own(REMOVES).format(change=what, share=_share(effect.removed), delay=delay)
    return text + (own(LOSES).format(lost=effect.lost_count) if effect.lost_count else "")


def _value(change: Change, unit: str, comma: bool) -> str:
    if change.what == "samples":
        return f"{change.value:.0f}"
    if change.what == "hysteresis":
        return f"{_number(change.value, comma)} {unit}".rstrip()
    return _span(change.value, comma)


def _span(seconds: float, comma: bool) -> str:
    """In seconds up to two minutes, as limits of rules are written; else in minutes."""
    if seconds < 120:
        return f"{_number(seconds, comma)} {'dtk' if comma else 's'}"
    return f"{_number(seconds / 60, comma)} {'menit' if comma else 'min'}"


def _number(value: float, comma: bool) -> str:
    text = f"{value:.3g}"
    return text.replace(".", ",") if comma else text


def _share(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
