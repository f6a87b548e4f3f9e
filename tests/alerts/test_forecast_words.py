"""What an operator reads of a forecast."""

from __future__ import annotations

import pytest

from alerts.forecast_words import level_text, refused_text, upstream_text


@pytest.mark.parametrize(
    ("from_min", "to_min", "time", "en"),
    [
        (40, 70, "dalam 40–70 menit", "in 40–70 min"),
        (-20, 70, "dalam 0–70 menit", "in 0–70 min"),
        (1, 2, "dalam 0–5 menit", "in 0–5 min"),
        (61, 62, "dalam 60 menit", "in 60 min"),
        (90, 180, "dalam 1,5–3 jam", "in 1.5–3 h"),
        (-90, -10, "sewaktu-waktu", "at any time now"),
    ],
)
def test_by_its_own_rise(from_min: float, to_min: float, time: str, en: str) -> None:
    text = level_text(2, from_min * 60, to_min * 60, 0.324)
    assert text.id == f"Naik 0,32 m/jam; Siaga 2 {time}"
    assert text.en == f"Rising 0.32 m/h; Siaga 2 {en}"


def test_by_what_is_on_its_way() -> None:
    text = upstream_text(3, 3600, 3 * 3600, "Silau di Buntu Pane", 0.93, 9000)
    assert text.id == (
        "Air dari Silau di Buntu Pane, yang naik 0,9 m di sana, tiba sekitar 2,5 jam kemudian; Siaga 3 dalam 1–3 jam"
    )
    assert text.en == (
        "Water from Silau di Buntu Pane, where it rose 0.9 m, arrives about 2.5 h later; Siaga 3 in 1–3 h"
    )


def test_why_not() -> None:
    assert refused_text("suspect").id == "Tidak ada perkiraan: pembacaan terbaru meragukan"
    assert refused_text("silent").en == "No forecast: the gauge is silent"
