"""A recorded file to replay: one made here, with the dirt of a real one, and the real one where it is at hand."""

from __future__ import annotations

import csv
import os
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
JAKARTA = "SIAGA_TEST_JAKARTA_CSV"
MAP = """
region = "12.09"
kind = "water_level"
[device]
column = "pos"
template = "{slug}"
[ts]
column = "waktu"
format = "%Y-%m-%d %H:%M:%S"
zone = "Asia/Jakarta"
[metrics]
level_m = { column = "tinggi_mm", scale = 0.001 }
"""


class Recorded(NamedTuple):
    """rows in the file, distinct readings among them; speed makes it last some seconds."""

    file: Path
    map: Path
    rows: int
    distinct: int
    speed: float
    labelled: int = 0  # readings of gauges with bounds, whose official level is in the file


def made(folder: Path) -> Recorded:
    """Ten gauges, 30 days, every 30 min; three of ten rows come twice, as when a poller asks too often."""
    rows: list[tuple[str, str, int]] = []
    chance = random.Random(20)
    start = datetime(2026, 1, 1)  # noqa: DTZ001  # local time without a zone, as in the field
    for number in range(10):
        level = 1000 + 100 * number
        for step in range(30 * 48):
            level += chance.randint(-30, 30)
            row = (f"pos {number}", f"{start + step * timedelta(minutes=30):%Y-%m-%d %H:%M:%S}", level)
            rows += [row] * (2 if chance.random() < 0.3 else 1)
    rows.sort(key=lambda row: row[1])
    file = folder / "recorded.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("pos", "waktu", "tinggi_mm"), *rows])
    plan = folder / "map.toml"
    plan.write_text(MAP, encoding="utf-8")
    return Recorded(file, plan, len(rows), len(set(rows)), speed=30 * 86_400 / 12)


def jakarta() -> Recorded | None:
    """The river telemetry of Jakarta's flood of January 2020: 31,059 rows of 21 gauges."""
    file = os.environ.get(JAKARTA)
    if not file:
        return None
    return Recorded(
        Path(file),
        ROOT / "simulator" / "maps" / "jakarta_tma.toml",
        31_059,
        22_112,
        speed=40 * 86_400 / 40,
        labelled=16_498,
    )
