"""Rows of two sources that stand for the same thing, and those without a counterpart. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

import numpy as np

from storage.audit import Ints


class Pairs(NamedTuple):
    """left[i] and right[i] have the same key; the others are alone. All are row numbers, rising on the left."""

    left: Ints
    right: Ints
    only_left: Ints
    only_right: Ints


def pair(left: Iterable[Hashable], right: Iterable[Hashable]) -> Pairs:
    """Pair two lists of keys; each key once in each list."""
    numbers = {key: number for number, key in enumerate(right)}
    partner = np.array([numbers.get(key, -1) for key in left], dtype=np.int64)
    found = partner >= 0
    alone = np.ones(len(numbers), dtype=np.bool_)
    alone[partner[found]] = False
    return Pairs(np.flatnonzero(found), partner[found], np.flatnonzero(~found), np.flatnonzero(alone))
