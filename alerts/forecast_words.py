"""What an operator reads of a forecast: Indonesian is the master, English is complete."""

from __future__ import annotations

from alerts.forecast_rise import Reason
from devices.kind import Label

RISES = Label("Naik {slope} m/jam; {coming}", "Rising {slope} m/h; {coming}")
ON_ITS_WAY = Label(
    "Air dari {upstream}, yang naik {rose} m di sana, tiba sekitar {lag} kemudian; {coming}",
    "Water from {upstream}, where it rose {rose} m, arrives about {lag} later; {coming}",
)
WITHIN = Label("Siaga {siaga} dalam {time}", "Siaga {siaga} in {time}")
ANY_TIME = Label("Siaga {siaga} sewaktu-waktu", "Siaga {siaga} at any time now")
NOTHING = Label("Tidak ada perkiraan: {why}", "No forecast: {why}")
WHY: dict[Reason, Label] = {
    "suspect": Label("pembacaan terbaru meragukan", "the newest readings are suspect"),
    "few": Label("pembacaan dalam satu jam terakhir terlalu sedikit", "too few readings in the last hour"),
    "gap": Label("pembacaan dalam satu jam terakhir terputus", "a gap in the readings of the last hour"),
    "silent": Label("pos tidak mengirim data", "the gauge is silent"),
}
MINUTE, HOUR = 60.0, 3600.0
# Up to two hours in minutes, to the next 5: more digits would promise more than is known.
IN_MINUTES_S, ROUND_S = 2 * HOUR, 300.0


def level_text(siaga: int, from_s: float, to_s: float, slope_m_h: float) -> Label:
    """When a level is expected, by the gauge's own rise; from_s and to_s from now on."""
    found = []
    for text, coming, comma in _each(RISES, siaga, from_s, to_s):
        found.append(text.format(slope=_number(slope_m_h, 2, comma), coming=coming))
    return Label(*found)


def upstream_text(siaga: int, from_s: float, to_s: float, upstream: str, rose_m: float, lag_s: float) -> Label:
    """The same, by what has passed the gauge upstream."""
    found = []
    for text, coming, comma in _each(ON_ITS_WAY, siaga, from_s, to_s):
        lag = _span(lag_s, lag_s, comma)
        found.append(text.format(upstream=upstream, rose=_number(rose_m, 1, comma), lag=lag, coming=coming))
    return Label(*found)


def refused_text(reason: Reason) -> Label:
    """Why nothing is said of a gauge."""
    return Label(NOTHING.id.format(why=WHY[reason].id), NOTHING.en.format(why=WHY[reason].en))


def _each(text: Label, siaga: int, from_s: float, to_s: float) -> list[tuple[str, str, bool]]:
    """Per language: its text, when the level comes, and whether it writes a decimal comma."""
    when = WITHIN if to_s > 0 else ANY_TIME
    return [
        (own, told.format(siaga=siaga, time=_span(max(from_s, 0.0), to_s, comma)), comma)
        for own, told, comma in ((text.id, when.id, True), (text.en, when.en, False))
    ]


def _span(from_s: float, to_s: float, comma: bool) -> str:
    """40–70 menit, 1,5–3 jam: both ends in the unit of the later one, one number where they are the same."""
    if to_s <= IN_MINUTES_S:
        ends = [f"{max(round(s / ROUND_S) * ROUND_S, low) / MINUTE:.0f}" for s, low in ((from_s, 0), (to_s, ROUND_S))]
        unit = "menit" if comma else "min"
    else:
        ends = [_number(s / HOUR, 1, comma).removesuffix(",0").removesuffix(".0") for s in (from_s, to_s)]
        unit = "jam" if comma else "h"
    return f"{'–'.join(dict.fromkeys(ends))} {unit}"


def _number(value: float, decimals: int, comma: bool) -> str:
    text = f"{value:.{decimals}f}"
    return text.replace(".", ",") if comma else text
