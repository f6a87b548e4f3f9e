"""Random numbers as a pure function of seed, stream, device and tick.

The same arguments give the same number whatever was asked before, so readings do not depend on how time was cut
into windows. splitmix64 (Steele, Lea and Flood 2014) over NumPy arrays.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
import numpy.typing as npt

from devices.kind import Floats

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(seed: int, stream: str, *keys: npt.ArrayLike) -> Floats:
    """Evenly in (0, 1), one number for each broadcast combination of integer keys."""
    with np.errstate(over="ignore"):  # wrapping around is the point of the arithmetic
        h = _mixed(np.asarray((seed << 32 ^ crc32(stream.encode())) & 0xFFFFFFFFFFFFFFFF, dtype=np.uint64))
        for key in keys:
            h = _mixed(h + np.asarray(key).astype(np.int64).astype(np.uint64) * _GOLDEN)
        return np.asarray(((h >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53, dtype=np.float64)


def normal(seed: int, stream: str, *keys: npt.ArrayLike) -> Floats:
    """Standard normal numbers (Box-Muller)."""
    radius = np.sqrt(-2 * np.log(uniform(seed, stream, *keys)))
    return np.asarray(radius * np.cos(2 * np.pi * uniform(seed, stream + "'", *keys)))


def smooth(seed: int, stream: str, key: npt.ArrayLike, t: Floats, period_s: float) -> Floats:
    """A wandering signal of mean 0 and standard deviation 1 whose memory is about period_s.

    Stands in for an AR(1) process, which would need its own past: normal numbers on a grid of time, a smooth step
    between them, scaled so that the variance is the same between grid points as on them.
    """
    x = t / period_s + uniform(seed, stream + "/phase", key)
    k = np.floor(x)
    w = (x - k) ** 2 * (3 - 2 * (x - k))
    mixed = (1 - w) * normal(seed, stream, key, k) + w * normal(seed, stream, key, k + 1)
    return np.asarray(mixed / np.sqrt((1 - w) ** 2 + w**2))


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _M1
    x = (x ^ (x >> np.uint64(27))) * _M2
    return np.asarray(x ^ (x >> np.uint64(31)), dtype=np.uint64)
