"""How wrong forecasts were: the interval of the next one is what the last ones missed by."""

from __future__ import annotations

import math
from typing import NamedTuple

# A quarter of an hour more on both sides: of five minutes left, three more are no error of 60 %.
MARGIN_S = 900.0
QUANTILES = (0.1, 0.9)
# An interval of its own has a gauge from so many forecasts on, of so many rises; the newest count.
ERRORS_MIN, RISES_MIN, ERRORS_MAX = 20, 3, 200


class Spread(NamedTuple):
    """The middle 80 % of past errors.

    An error is ln((took + MARGIN_S) / (expected + MARGIN_S)): 0 is right, negative sooner, 0.7 twice as long.
    """

    low: float
    high: float


# Until there is anything: the middle 80 % of Jakarta's river gauges in January 2020 (docs/forecasts.md).
UNKNOWN = Spread(-0.8, 0.85)


def interval(expected_s: float, spread: Spread) -> tuple[float, float]:
    """Between which times, in s like expected_s and around it, 80 % of such forecasts came true."""
    low, high = ((expected_s + MARGIN_S) * math.exp(part) - MARGIN_S for part in spread)
    return max(0.0, min(low, expected_s)), max(high, expected_s)
