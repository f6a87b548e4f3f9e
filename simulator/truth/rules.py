"""The rules as docs/rules.md has them, written down a second time.

The simulator does not know the server's rules: what it expects would be right by definition. A test compares the two
field by field, so that neither changes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RuleName = Literal[
    "siaga", "level_missing", "sensor_fault", "voltage_low", "voltage_high", "lamp_out", "unpowered", "day_burner",
    "low_power", "high_power", "low_power_factor", "cycling", "congestion", "stopped", "loop_fault",
    "cabinet_no_mains", "cabinet_door",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rung:
    """One level: reached after `samples` readings in a row that span at least delay_on_s.

    bound is in the unit of what is compared (m, V, share of free flow), or names the attribute that holds it.
    """

    severity: int
    bound: float | str | None = None
    samples: int = 1
    delay_on_s: int = 0


@dataclass(frozen=True, slots=True)
class ExpectedRule:
    """A rule of one kind. hysteresis is in the unit of the bounds; a rung is left after delay_off_s beyond it."""

    name: RuleName
    kind: str
    rungs: tuple[Rung, ...]
    hysteresis: float = 0.0
    delay_off_s: int = 0


RULES = (
    ExpectedRule(
        "siaga",
        "water_level",
        (Rung(1, "siaga_3_m", samples=2), Rung(2, "siaga_2_m"), Rung(3, "siaga_1_m")),
        hysteresis=0.10,
        delay_off_s=1_800,
    ),
    # SPLN 1: 220 V within +5 and -10 %.
    ExpectedRule("voltage_low", "streetlight", (Rung(1, 198.0, 1, 600), Rung(2, 180.0, 2)), 2.0, 600),
    ExpectedRule("voltage_high", "streetlight", (Rung(1, 231.0, 1, 600), Rung(2, 250.0, 2)), 2.0, 600),
    ExpectedRule("lamp_out", "streetlight", (Rung(0, samples=2),)),  # uCIFI 3416, resource 5
    ExpectedRule("unpowered", "streetlight", (Rung(0, 50.0),)),
    ExpectedRule("day_burner", "streetlight", (Rung(0, 0.3, 2, 1_800),)),  # of nominal; uCIFI 3416, resource 10
    ExpectedRule("low_power", "streetlight", (Rung(0, 0.8, 3, 1_800),), 0.05),  # of what the dimming asks for
    ExpectedRule("high_power", "streetlight", (Rung(0, 1.2, 3, 1_800),), 0.05),
    ExpectedRule("low_power_factor", "streetlight", (Rung(0, 0.9, 12, 9_900),), 0.02),
    ExpectedRule("cycling", "streetlight", (Rung(0),), 0.0, 3_600),  # uCIFI 3416, resource 11
    ExpectedRule("congestion", "traffic", (Rung(1, 0.5, 1, 600), Rung(2, 0.3, 1, 600)), 0.1, 600),
    ExpectedRule("stopped", "traffic", (Rung(2, 10.0, 1, 180),), 5.0, 600),  # km/h
    ExpectedRule("loop_fault", "traffic", (Rung(0, delay_on_s=7_200),)),
    ExpectedRule("level_missing", "water_level", (Rung(0, delay_on_s=3_600),)),
    ExpectedRule("sensor_fault", "water_level", (Rung(1, samples=3),), 0.0, 1_800),
    ExpectedRule("sensor_fault", "streetlight", (Rung(0, samples=3),), 0.0, 1_800),
    ExpectedRule("voltage_low", "cabinet", (Rung(1, 198.0, 1, 600), Rung(2, 180.0, 2)), 2.0, 600),
    ExpectedRule("voltage_high", "cabinet", (Rung(1, 231.0, 1, 600), Rung(2, 250.0, 2)), 2.0, 600),
    ExpectedRule("cabinet_no_mains", "cabinet", (Rung(2, 0.5),)),
    ExpectedRule("cabinet_door", "cabinet", (Rung(1, 0.5, delay_on_s=300),)),
    ExpectedRule("sensor_fault", "cabinet", (Rung(0, samples=3),), 0.0, 1_800),
    ExpectedRule("sensor_fault", "traffic", (Rung(0, samples=3),), 0.0, 1_800),
)
MAINS_V = 50.0  # under it voltage_low, lamp_out and low_power say nothing
GUARD_S = 1_200  # around sunset and sunrise, for what depends on day and night
DARK_SHARE, DARK_W = 0.3, 2.0  # of the power that the dimming asks for; at least so much
FACTOR_W, FACTOR_DIMMING_PCT = 5.0, 50.0  # under either a power factor says nothing
OCCUPIED_PCT = 20.0  # above it a slow road is congested
STANDING_PCT, FULL_PCT = 40.0, 80.0  # above it a crawling lane stands; one on which nothing passes
BLIND_GUARD_S = 3_600  # around sunrise and sunset, for loop_fault

# Three intervals and 5 min; lamps 3 h 5 min, as they report hourly by day.
SILENT_S = {"streetlight": 11_100, "water_level": 2_100, "traffic": 1_200, "cabinet": 1_200}
SILENT_SEVERITY = {"streetlight": 0, "water_level": 1, "traffic": 0, "cabinet": 0}
# Silent devices are looked for every 10 s; 30 s are the way of a reading through broker and database.
SILENT_CHECK_S, SILENT_SLACK_S = 10, 30
