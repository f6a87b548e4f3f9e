"""Every metric of the worker, for Prometheus at SIAGA_WORKER_METRICS_PORT. Label sets are closed."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from devices.kinds import KINDS
from storage.kind_tables import STEPS

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

ROLLED_UP = Counter(
    "siaga_worker_rollup_rows_total", "Rollup rows written because they changed.", ("kind",), registry=REGISTRY
)
ROLLUP_SECONDS = Histogram(
    "siaga_worker_rollup_seconds",
    "Time of one round over all kinds.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
ROLLUP_LAG = Gauge("siaga_worker_rollup_lag_seconds", "Age of live data not yet rolled up.", registry=REGISTRY)
ROLLUP_PENDING = Gauge(
    "siaga_worker_rollup_pending", "Marks that wait, counted no further than 100,000.", registry=REGISTRY
)
NOTICES = Counter(
    "siaga_worker_notices_total", "Tries to send a notice on a channel, by outcome.", ("outcome",), registry=REGISTRY
)
NOTICES_DEAD = Gauge(
    "siaga_worker_notices_dead", "Messages of the last seven days that were given up.", registry=REGISTRY
)
JOBS_RETRIED = Counter(
    "siaga_worker_jobs_retried_total", "Jobs done again because their worker was gone.", registry=REGISTRY
)
JOB_FAILURES = Counter(
    "siaga_worker_job_failures_total", "Runs of a periodic job that failed.", ("job",), registry=REGISTRY
)

PARTS_DROPPED = Counter(
    "siaga_worker_retention_dropped_total", "Parts of tables dropped.", ("kind", "level"), registry=REGISTRY
)
RETENTION_HELD = Gauge(
    "siaga_worker_retention_held",
    "Parts that have had their time and are still there, at the last run.",
    ("kind", "level"),
    registry=REGISTRY,
)
ROWS_ARCHIVED = Counter(
    "siaga_worker_archived_rows_total", "Readings written to the archive.", ("kind",), registry=REGISTRY
)

BROKER_HELD_MESSAGES = Gauge(
    "siaga_broker_held_messages", "Messages the broker keeps until they are acknowledged.", registry=REGISTRY
)
BROKER_HELD_BYTES = Gauge("siaga_broker_held_bytes", "Bytes in the broker's store.", registry=REGISTRY)
BROKER_LIMIT_BYTES = Gauge("siaga_broker_limit_bytes", "At so many the broker takes no more.", registry=REGISTRY)

for _kind in KINDS:
    ROLLED_UP.labels(_kind)
    ROWS_ARCHIVED.labels(_kind)
    for _level in STEPS:
        PARTS_DROPPED.labels(_kind, _level)
        RETENTION_HELD.labels(_kind, _level)
for _outcome in ("sent", "failed", "gave_up"):
    NOTICES.labels(_outcome)
