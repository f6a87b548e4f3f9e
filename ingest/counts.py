"""What ingest has done, as one line every so often and as a sentence for /readyz."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from devices.batch import Batch, Packet
from ingest import metrics
from runtime.log import get_logger
from storage.ledger import OUTCOMES, Outcome
from storage.write import Written

log = get_logger(__name__)

EVERY_S = 10.0


class Counts:
    """Since the last line."""

    def __init__(self) -> None:
        self.per_s = self.lag_s = self._slowest_s = 0.0
        self.committed_at: datetime | None = None
        self._begin()

    def batch(self, packets: Sequence[Packet], batch: Batch, seconds: float, now: datetime) -> None:
        """A batch was committed at `now`, `seconds` after it was decoded."""
        self._packets += len(packets)
        self._unknown_fields += batch.unknown_fields
        self._batches += 1
        self._slowest_s = max(self._slowest_s, seconds)
        log.debug("batch.committed", packets=len(packets), ms=round(seconds * 1000, 1))
        metrics.PACKETS.inc(len(packets))
        metrics.UNKNOWN_FIELDS.inc(batch.unknown_fields)
        metrics.COMMIT_SECONDS.observe(seconds)
        metrics.BATCH_PACKETS.observe(len(packets))
        self.lag_s = (now - min(packet.received_at for packet in packets)).total_seconds()
        self.committed_at = now
        metrics.LAG_SECONDS.observe(self.lag_s)
        metrics.COMMITTED_AT.set(now.timestamp())
        for readings in batch.readings:
            live = readings.ts_us[~readings.late]
            if len(live):
                metrics.AGE_SECONDS.labels(readings.kind.name).set(now.timestamp() - float(np.median(live)) / 1e6)

    def written(self, written: Written) -> None:
        for outcome, number in written.counts.items():
            self._outcomes[outcome] += number
            metrics.READINGS.labels(outcome).inc(number)
        for reason, number in written.quarantined.items():
            metrics.QUARANTINED.labels(reason).inc(number)
        metrics.TRANSITIONS.inc(len(written.transitions))
        self._transitions += len(written.transitions)

    def tell(self) -> None:
        """Log a line if it is time for one and there is something to say."""
        seconds = time.monotonic() - self._since
        if seconds < EVERY_S:
            return
        self.per_s = self._packets / seconds
        if self._batches or self._transitions:
            log.info(
                "batches.committed",
                batches=self._batches,
                packets=self._packets,
                **self._outcomes,
                transitions=self._transitions,
                unknown_fields=self._unknown_fields,
                per_s=round(self.per_s, 1),
                slowest_ms=round(self._slowest_s * 1000, 1),
            )
        self._begin()

    def _begin(self) -> None:
        self._since = time.monotonic()
        self._packets = self._batches = self._transitions = self._unknown_fields = 0
        self._slowest_s = 0.0
        self._outcomes: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
