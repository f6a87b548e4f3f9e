"""Whether an outcome is what is promised: in words what is not."""

from __future__ import annotations

from collections.abc import Iterator

from tests.failure.faults import FAULTS
from tests.failure.trial import STORM, Outcome
from tests.failure.world import BROKERS, MEMORY_MAX_MB


def may_lose(broker: str, fault: str) -> str | None:
    """What was acknowledged so long before may be lost; None: nothing."""
    kills = fault == STORM or FAULTS[fault].kills_broker
    return BROKERS[broker].forgets if kills else None


def broken(outcome: Outcome) -> Iterator[str]:
    """Promises that were not kept; none is how it should be."""
    yield from (f"verify: {difference}" for difference in outcome.differences)
    if outcome.lost and may_lose(outcome.broker, outcome.fault) is None:
        yield f"{outcome.lost} of {outcome.readings} acknowledged readings are lost"
    if outcome.named + outcome.edge < outcome.lost:
        yield f"the ledger names {outcome.named} of {outcome.lost} lost readings, {outcome.edge} it cannot"
    if outcome.doubled:
        yield f"{outcome.doubled} readings or alerts too many"
    if outcome.peak_mb > MEMORY_MAX_MB:
        yield f"ingest took {outcome.peak_mb} MB, {MEMORY_MAX_MB} are allowed"
    if not all((outcome.peak_mb, outcome.strikes, outcome.readings)):
        yield "nothing was tried"
