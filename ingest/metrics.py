"""Every metric of ingest, for Prometheus at SIAGA_INGEST_METRICS_PORT. Set once a batch; label sets are closed."""

from __future__ import annotations

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from devices.batch import QuarantineReason
from ingest.hear import Outcome

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

PACKETS = Counter("siaga_ingest_packets_total", "Packets taken from the broker and committed.", registry=REGISTRY)
READINGS = Counter(
    "siaga_ingest_readings_total",
    "Readings and quarantine entries by outcome, as in the ledger.",
    ("outcome",),
    registry=REGISTRY,
)
QUARANTINED = Counter(
    "siaga_ingest_quarantined_total", "Entries sent to quarantine, by reason.", ("reason",), registry=REGISTRY
)
UNKNOWN_FIELDS = Counter(
    "siaga_ingest_unknown_fields_total", "Fields that no kind declares; not fatal.", registry=REGISTRY
)
TRANSITIONS = Counter("siaga_ingest_transitions_total", "Steps of alerts committed.", registry=REGISTRY)
COMMIT_SECONDS = Histogram(
    "siaga_ingest_commit_seconds",
    "From a decoded batch to its commit.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
BATCH_PACKETS = Histogram(
    "siaga_ingest_batch_packets",
    "Packets in one commit.",
    buckets=(1, 10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000),
    registry=REGISTRY,
)
LAG_SECONDS = Histogram(
    "siaga_ingest_lag_seconds",
    "From the arrival of a batch's oldest packet to its commit.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
    registry=REGISTRY,
)
AGE_SECONDS = Gauge(
    "siaga_ingest_age_seconds",
    "Median age of the live readings of the last batch by their own clocks, when committed.",
    ("kind",),
    registry=REGISTRY,
)
COMMITTED_AT = Gauge(
    "siaga_ingest_committed_timestamp_seconds",
    "When a batch was last committed, seconds since 1970.",
    registry=REGISTRY,
)
DEVICES = Gauge("siaga_ingest_devices", "Devices known.", registry=REGISTRY)
HELD_PACKETS = Gauge("siaga_ingest_held_packets", "Packets received and not yet committed.", registry=REGISTRY)
HELD_LIMIT = Gauge("siaga_ingest_held_packets_limit", "At so many held ingest stops reading.", registry=REGISTRY)
SUBSCRIBED = Gauge("siaga_ingest_subscribed", "1 while the broker delivers to us.", registry=REGISTRY)

SAID = Counter(
    "siaga_ingest_said_total",
    "Messages of devices beside readings: of their status, or a command's result.",
    ("what", "outcome"),
    registry=REGISTRY,
)
TOLD = Counter(
    "siaga_ingest_commands_sent_total", "Commands that the broker has acknowledged for devices.", registry=REGISTRY
)

for _what in ("status", "result"):
    for _outcome in get_args(Outcome):
        SAID.labels(_what, _outcome)
for _reason in get_args(QuarantineReason):
    QUARANTINED.labels(_reason)
