"""What a steady load costs each part of an installation, in CPU seconds: unlike its speed this is the same on a busy
machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from siaga.stack import processes
from tests.cluster.installation import Installation


class Cost(NamedTuple):
    """readings: stored while it ran; of each part µs of CPU a reading."""

    readings: int
    parts: dict[str, float]


def load(here: Installation, rate: int, devices: int, seconds: int) -> Cost:
    """Single readings of lamps, gauges and detectors of all regions, so many a second."""
    everywhere = [region for regions in here.regions.values() for region in regions]
    before, spent = here.stored, cpu_s(here)
    said = here.run(
        "simulate", "--load", "--rate", str(rate), "--devices", str(devices), "--for", f"{seconds}s",
        "--region", ",".join(everywhere), "--processes", "1",
    )  # fmt: skip
    print(said.strip().splitlines()[-1])
    readings = here.stored - before
    now = cpu_s(here)
    return Cost(readings, {part: round(1e6 * (now[part] - spent[part]) / readings, 1) for part in now})


def cpu_s(here: Installation) -> dict[str, float]:
    """CPU seconds so far: of all three brokers, of all that serves the primary, the standby, …"""
    primary, standby = (
        (here.pair.first, here.pair.second) if here.pair.first.is_primary else (here.pair.second, here.pair.first)
    )
    return {
        "brokers": _of(node.pid for node in here.nodes.nodes),
        "primary": _of(processes.leftovers(primary.folder)),
        "standby": _of(processes.leftovers(standby.folder)),
        "ingest": _of(each.pid for pair in here.ingest.values() for each in pair),
        "worker": _of(each.pid for each in here.others),
        "apis": _of(each.pid for each in here.apis),
    }


def _of(pids: Iterable[int | None]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))  # and of children that have ended
    return ticks / os.sysconf("SC_CLK_TCK")
