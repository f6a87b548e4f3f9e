"""Latencies of any number of messages in bounded memory: counts in buckets that grow by 2 %."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

GROWTH = 1.02
LEAST_S = 1e-6
BUCKETS = 1_200  # up to 1e-6 * 1.02**1200 s, six hours
QUANTILES = (0.5, 0.9, 0.99, 0.999)
_HEAD = ("", "n", "p50", "p90", "p99", "p99.9", "max")


@dataclass
class Histogram:
    """A quantile is read at the upper edge of its bucket, at most 2 % too high; the greatest value is exact."""

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BUCKETS, dtype=np.int64))
    greatest_s: float = 0.0

    def __len__(self) -> int:
        return int(self.counts.sum())

    def add(self, seconds: Sequence[float]) -> None:
        if not seconds:
            return
        values = np.maximum(np.asarray(seconds, dtype=np.float64), LEAST_S)
        bucket = (np.log(values / LEAST_S) / math.log(GROWTH)).astype(np.int64)
        self.counts += np.bincount(np.minimum(bucket, BUCKETS - 1), minlength=BUCKETS)
        self.greatest_s = max(self.greatest_s, float(values.max()))

    def merge(self, other: Histogram) -> None:
        self.counts += other.counts
        self.greatest_s = max(self.greatest_s, other.greatest_s)

    def quantile(self, share: float) -> float:
        """Seconds that this share of the values does not exceed; NaN when there are none."""
        number = len(self)
        if not number:
            return float("nan")
        bucket = int(np.searchsorted(np.cumsum(self.counts), math.ceil(share * number)))
        return min(LEAST_S * GROWTH ** (bucket + 1), self.greatest_s)


def table(rows: Mapping[str, Histogram]) -> list[str]:
    """Lines of p50, p90, p99, p99.9 and max in ms, a row for each name."""
    width = max(map(len, rows))
    cells = [_HEAD] + [
        (name, f"{len(found):,}", *(_ms(found.quantile(q)) for q in QUANTILES), _ms(found.greatest_s))
        if len(found)
        else (name, "0", *["-"] * (len(QUANTILES) + 1))
        for name, found in rows.items()
    ]
    return [
        f"{line[0]:<{width}} " + " ".join(f"{cell:>9}" for cell in line[1:]) + (" ms" if at else "")
        for at, line in enumerate(cells)
    ]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:,.1f}" if seconds < 10 else f"{1000 * seconds:,.0f}"
