"""Generating: the readings of 50,000 devices as columns, window after window, on one core and without a broker.

Reference: NumPy drawing as many random numbers as the readings hold, plain normal ones with two decimals: no
physics, no device, no clock.
"""

from __future__ import annotations

import time

import numpy as np

from bench.measure import Figure
from devices.kind import Floats
from simulator.city import City
from simulator.fleet import make_fleet

DEVICES, WINDOW_MS, SPAN_MS, ROUNDS = 50_000, 20_000, 240_000, 3
# Minutes of an evening, with lamps just lit and roads full: 26 November 2026, 18:30 WIB.
START = 1_795_692_600.0


def run() -> list[Figure]:
    city = City(make_fleet(DEVICES, 1), 1, START)
    # A day's queues and levels are worked out once; no part of a rate.
    city.blocks(city.start_ms, city.start_ms + WINDOW_MS)
    ours, reference = [], []
    for n in range(ROUNDS):
        windows = range(city.start_ms + n * SPAN_MS, city.start_ms + (n + 1) * SPAN_MS, WINDOW_MS)
        began = time.process_time()
        blocks = [(len(b), len(b.columns)) for t0_ms in windows for b in city.blocks(t0_ms, t0_ms + WINDOW_MS)]
        ours.append(sum(rows for rows, _ in blocks) / (time.process_time() - began))
        began = time.process_time()
        for rows, columns in blocks:
            _drawn(rows, columns)
        reference.append(sum(rows for rows, _ in blocks) / (time.process_time() - began))
    return [Figure("generating, one core", "readings/s", max(ours), max(reference), "NumPy drawing as many numbers")]


def _drawn(rows: int, columns: int) -> list[Floats]:
    random = np.random.default_rng(1)
    return [np.round(random.standard_normal(rows), 2) for _ in range(columns)]
