"""Every metric of the API process, for Prometheus at /metrics. Label sets are closed: routes, methods, statuses."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

REQUESTS = Counter(
    "siaga_api_requests_total", "Requests answered.", ("method", "route", "status"), registry=REGISTRY
)  # fmt: skip
REQUEST_SECONDS = Histogram(
    "siaga_api_request_seconds",
    "Time until the answer was complete; streams are not counted.",
    ("route",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
    registry=REGISTRY,
)
UNDER_WAY = Gauge("siaga_api_requests_under_way", "Requests being answered, open streams too.", registry=REGISTRY)
SENT_BYTES = Counter(
    "siaga_api_sent_bytes_total", "Bytes of answers, as sent (compressed), without headers.", ("route",),
    registry=REGISTRY,
)  # fmt: skip
RATE_LIMITED = Counter(
    "siaga_api_rate_limited_total", "Requests answered 429, by whose limit it was.", ("whose",), registry=REGISTRY
)
TIMEOUTS = Counter(
    "siaga_api_timeouts_total", "Requests whose answer had not begun within SIAGA_REQUEST_TIMEOUT_S.", registry=REGISTRY
)
DATABASE_UNAVAILABLE = Counter(
    "siaga_api_database_unavailable_total",
    "Requests answered 503: the database away, no connection free, or a query stopped.",
    registry=REGISTRY,
)
LIVE_CLIENTS = Gauge("siaga_api_live_clients", "Open live streams.", registry=REGISTRY)
LIVE_EVENTS = Counter(
    "siaga_api_live_events_total",
    "Events made for live streams, each once for all who want it.",
    ("event",),
    registry=REGISTRY,
)
LIVE_RESETS = Counter(
    "siaga_api_live_resets_total", "Live clients told to reload: too slow or away for too long.", registry=REGISTRY
)
LIVE_ERRORS = Counter("siaga_api_live_errors_total", "Looks at the event log that failed.", registry=REGISTRY)

for _event in ("alert", "latest", "command", "presence", "beat"):
    LIVE_EVENTS.labels(_event)
for _whose in ("key", "address"):
    RATE_LIMITED.labels(_whose)
