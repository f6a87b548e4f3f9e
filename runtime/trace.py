"""Traces for OpenTelemetry, where SIAGA_OTLP_ENDPOINT says so: a span for a request, one for each SQL statement in it.

Nothing of OpenTelemetry is imported without that setting; it is the extra `siaga[otel]`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runtime.settings import SettingError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

# Of this process: none, or one.
_TRACERS: list[Tracer] = []


def setup(part: str, endpoint: str | None, exporter: SpanExporter | None = None) -> Callable[[], None]:
    """Send spans of this process to endpoint (OTLP over HTTP), or to an exporter; what ends it, sending the rest.

    Raises SettingError when the extra is not installed."""
    if endpoint is None and exporter is None:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    except ImportError:
        raise SettingError("SIAGA_OTLP_ENDPOINT is set, but: pip install 'siaga[otel]'") from None
    provider = TracerProvider(resource=Resource.create({"service.name": f"siaga-{part}"}), shutdown_on_exit=False)
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        # It fills a queue of 2,048 spans and drops what comes on top: a collector that is away slows nobody.
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}".rstrip("/") + "/v1/traces")))
    _TRACERS[:] = [provider.get_tracer("siaga")]

    def end() -> None:
        _TRACERS.clear()
        provider.shutdown()

    return end


def is_on() -> bool:
    return bool(_TRACERS)


@contextlib.contextmanager
def request_span(name: str, carrier: Mapping[str, str]) -> Iterator[Span | None]:
    """A span for what we were asked, under the caller's own if carrier has a traceparent; None without tracing."""
    if not _TRACERS:
        yield None
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract(carrier)
    with _TRACERS[0].start_as_current_span(name, context=context, kind=SpanKind.SERVER) as span:
        yield span


@contextlib.contextmanager
def query_span(sql: str) -> Iterator[None]:
    """A span for a statement, if it is part of something that is traced. Never its values: they may be secrets."""
    if not _TRACERS:
        yield
        return
    from opentelemetry.trace import SpanKind, get_current_span

    if not get_current_span().is_recording():
        yield
        return
    text = " ".join(sql.split())
    attributes: dict[str, Any] = {"db.system.name": "postgresql", "db.query.text": text[:2000]}
    with _TRACERS[0].start_as_current_span(
        text.partition(" ")[0].upper() or "SQL", kind=SpanKind.CLIENT, attributes=attributes
    ):
        yield


def trace_id(span: Span) -> str:
    """As it stands in a traceparent, so that a log line leads to its trace."""
    return f"{span.get_span_context().trace_id:032x}"
