"""The rules as docs/rules.md has them, written down a second time.

The simulator does not know the server's rules: what it expects would be right by definition. A test compares the two
field by field, so that neither changes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RuleName = Literal["siaga", "voltage_low", "voltage_high", "lamp_out", "unpowered", "congestion"]


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
    ExpectedRule("congestion", "traffic", (Rung(1, 0.5, 1, 600), Rung(2, 0.3, 1, 600)), 0.1, 600),
)
MAINS_V = 50.0  # under it voltage_low and lamp_out say nothing
GUARD_S = 1_200  # around sunset and sunrise, for lamp_out and unpowered
DARK_SHARE, DARK_W = 0.3, 2.0  # of the power that the dimming asks for; at least so much
OCCUPIED_PCT = 20.0  # above it a slow road is congested

# Three intervals and 5 min; lamps 3 h 5 min, as they report hourly by day.
SILENT_S = {"streetlight": 11_100, "water_level": 2_100, "traffic": 1_200}
SILENT_SEVERITY = {"streetlight": 0, "water_level": 1, "traffic": 0}
# Silent devices are looked for every 10 s; 30 s are the way of a reading through broker and database.
SILENT_CHECK_S, SILENT_SLACK_S = 10, 30
