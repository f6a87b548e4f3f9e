"""What is seen of a request: its log lines under one id, what is counted, its trace down to the SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.auth import Endpoints
from runtime import log, trace
from runtime.settings import SettingError, Settings


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    end = trace.setup("api", None, exporter)
    yield exporter
    end()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[str], list[str]]:
    log.setup("api", "INFO")
    return lambda request_id: [line for line in capsys.readouterr().err.splitlines() if f"request={request_id}" in line]


async def test_every_line_of_a_request_carries_its_id(app: Any, client: Any, lines: Callable[[str], list[str]]) -> None:
    spoken = Endpoints("/api/v1")

    @spoken.get("/spoken", role="viewer")
    async def speak(token: str) -> None:
        log.get_logger("elsewhere").info("something.done", secret=False)
        raise RuntimeError("unforeseen")

    app.router.routes.extend(spoken)
    answer = await client("viewer").get("/api/v1/spoken?token=hidden")
    said = lines(answer.headers["x-request-id"])
    events = [part[6:] for line in said for part in line.split() if part.startswith("event=")]
    assert events == ["something.done", "request.failed", "request.answered"]
    assert "status=500" in said[-1]
    assert 'who="a viewer"' in said[-1]
    assert not any("hidden" in line for line in said)


async def test_probes_are_not_logged(client: Any, lines: Callable[[str], list[str]]) -> None:
    answer = await client(None).get("/healthz")
    assert lines(answer.headers["x-request-id"]) == []


async def test_requests_are_counted_by_route(client: Any, viewer: httpx.AsyncClient) -> None:
    await viewer.get("/api/v1/kinds")
    families = {f.name: f for f in text_string_to_metric_families((await client(None).get("/metrics")).text)}

    def of(name: str, sample: str) -> float:
        return next(
            s.value for s in families[name].samples if s.name == sample and s.labels["route"] == "/api/v1/kinds"
        )

    assert of("siaga_api_request_seconds", "siaga_api_request_seconds_count") >= 1
    assert of("siaga_api_sent_bytes", "siaga_api_sent_bytes_total") > 1000
    assert families["siaga_api_requests_under_way"].samples[0].value == 1  # the one that asks


async def test_a_trace_goes_from_the_request_to_its_sql(
    spans: InMemorySpanExporter, settings: Settings, db: Any, client: Any
) -> None:
    app = create_app(settings.model_copy(update={"trusted_proxies": "127.0.0.1"}))
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with app.router.lifespan_context(app):
        headers = {"Authorization": "Bearer key-of-the-viewer", "traceparent": caller}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://siaga") as asking:
            assert (await asking.get("/api/v1/devices", headers=headers)).status_code == 200
    found = spans.get_finished_spans()
    (request,) = [span for span in found if span.name == "GET /api/v1/devices"]
    assert request.attributes["http.response.status_code"] == 200
    assert f"{request.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    queries = [s for s in found if s.parent and s.parent.span_id == request.context.span_id]
    assert any("FROM api_key" in s.attributes["db.query.text"] for s in queries)
    assert any("FROM device" in s.attributes["db.query.text"] for s in queries)
    assert not any("key-of-the-viewer" in str(dict(s.attributes)) for s in found)


def test_nothing_is_traced_unless_asked_for() -> None:
    end = trace.setup("api", None)
    assert not trace.is_on()
    end()


def test_without_the_extra_the_setting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingError, match=r"siaga\[otel\]"):
        trace.setup("api", "http://127.0.0.1:4318")
