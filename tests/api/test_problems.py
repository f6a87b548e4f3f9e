"""Every error is a problem that names the field and the limit, and every status is in the OpenAPI document."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from api.app import create_app
from api.auth import Endpoints
from api.context import Pools
from api.problem_types import BY_NAME, PREFIX
from devices import asyncapi
from devices.kinds import KINDS
from runtime.settings import Settings

PROBLEM = "application/problem+json"


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    kind = BY_NAME[problem["type"].removeprefix(PREFIX)]
    assert (problem["type"], problem["title"], problem["status"]) == (kind.uri, kind.title, status)
    assert kind.status == status
    for header in kind.headers:
        assert header in answer.headers, f"{kind.name} has no {header}"
    return problem


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/api/v1/latest/", "/assets/no.js", "/vendor/no.js"])
async def test_404(viewer: httpx.AsyncClient, path: str) -> None:
    is_problem(await viewer.get(path), 404)


@pytest.mark.parametrize(
    "path", ["/assets/../app.py", "/assets/%2e%2e/app.py", "/assets//etc/passwd", "/vendor/../index.html"]
)
async def test_files_outside_the_dashboard_are_not_served(viewer: httpx.AsyncClient, path: str) -> None:
    answer = await viewer.get(path)
    assert "import" not in answer.text
    is_problem(answer, 404)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/api/v1/latest", "GET, HEAD"),
        ("PUT", "/api/v1/session", "DELETE, GET, HEAD, POST"),
        ("DELETE", "/api/v1/alerts/1/ack", "POST"),
        ("PATCH", "/peringatan", "GET, HEAD"),
        ("TRACE", "/api/v1/devices", "GET, HEAD"),
    ],
)
async def test_405_names_every_method_of_the_path(
    viewer: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await viewer.request(method, path)
    is_problem(answer, 405)
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    ("path", "field", "says"),
    [
        ("/api/v1/devices?limit=0", "limit", "1"),
        ("/api/v1/devices?limit=1001", "limit", "1000 (SIAGA_PAGE_MAX)"),
        ("/api/v1/devices?limit=many", "limit", "integer"),
        ("/api/v1/devices?kind=submarine", "kind", "streetlight"),
        ("/api/v1/devices?district=Kisaran", "district", "pattern"),
        ("/api/v1/devices?cursor=abc", "cursor", "beginning"),
        ("/api/v1/latest?cursor=WzFd", "cursor", "beginning"),
        ("/api/v1/alerts?state=asleep", "state", "open"),
        ("/api/v1/alerts?min_severity=4", "min_severity", "3"),
        ("/api/v1/alerts/0", "alert_id", "1"),
        ("/api/v1/alerts/99999999999999999999", "alert_id", "9223372036854775807"),
        ("/api/v1/readings", "device", "required"),
        ("/api/v1/readings?device=x&from=yesterday", "from", "RFC3339" and "2026-11-24T19:10:00+07:00"),
        ("/api/v1/readings?device=x&from=2026-11-24T12:00:00", "from", "-6h"),
        ("/api/v1/readings?device=x&from=2026-02-30T12:00:00Z", "from", "no time"),
        ("/api/v1/readings?device=x&from=-99999d", "from", "1900"),
        ("/api/v1/readings?device=x&from=-1h&to=-2h", "from", "after to"),
        ("/api/v1/metrics/traffic?bucket=7m", "bucket", "'5m'"),
        ("/api/v1/metrics/traffic?tz=Asia/Kisaran", "tz", "IANA"),
        ("/api/v1/metrics/traffic?fill=guess", "fill", "previous"),
    ],
)
async def test_422_names_field_and_limit(viewer: httpx.AsyncClient, path: str, field: str, says: str) -> None:
    problem = is_problem(await viewer.get(path), 422)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert says in problem["errors"][0]["message"]
    assert field in problem["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/devices?cursor=%00",
        "/api/v1/devices?unknown=%00",
        "/api/v1/devices/%00",
        "/api/v1/alerts?device=a%00b",
        "/api/v1/metrics/streetlight?tz=%00",
        "/sign-in?token=%00",
        "/assets/%00",
    ],
)
async def test_nul_is_refused(viewer: httpx.AsyncClient, path: str) -> None:
    is_problem(await viewer.get(path), 422)


@pytest.mark.parametrize("cursor", ["WyJcdTAwMDAiXQ", "WyJcdWQ4MDAiXQ"])  # ["\u0000"], ["\ud800"]
async def test_text_that_postgresql_has_not_is_refused_in_a_cursor(viewer: httpx.AsyncClient, cursor: str) -> None:
    is_problem(await viewer.get("/api/v1/devices", params={"cursor": cursor}), 422)


@pytest.mark.parametrize("key", ['"\\u0000"', '"\\ud800"', "1", "null", '""'])
async def test_strange_json_is_refused(client: Any, key: str) -> None:
    answer = await client(None).post(
        "/api/v1/session", content=f'{{"key": {key}}}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (401, 422)
    is_problem(answer, answer.status_code)


async def test_broken_json_is_422(client: Any) -> None:
    answer = await client(None).post("/api/v1/session", content=b"{", headers={"Content-Type": "application/json"})
    is_problem(answer, 422)


async def test_too_large_a_body_is_413(client: Any, settings: Settings) -> None:
    body = b"x" * (settings.body_max_bytes + 1)
    problem = is_problem(await client("engineer").post("/api/v1/devices/import", content=body), 413)
    assert str(settings.body_max_bytes) in problem["detail"]


async def test_too_large_a_body_without_a_length_is_413(client: Any, settings: Settings) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(settings.body_max_bytes // 1_000_000 + 1):
            yield b"x" * 1_000_000

    is_problem(await client("engineer").post("/api/v1/devices/import", content=chunks()), 413)
    is_problem(
        await client(None).post("/api/v1/session", content=chunks(), headers={"Content-Type": "application/json"}),
        413,
    )


async def test_503_when_the_database_is_away(settings: Settings, unused_tcp_port: int) -> None:
    nowhere = AsyncConnectionPool(f"postgresql://x@127.0.0.1:{unused_tcp_port}/x", min_size=1, timeout=0.3, open=False)
    app = create_app(settings, Pools(nowhere, nowhere, nowhere, nowhere))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://siaga", headers={"Authorization": "Bearer key"}
        ) as client:
            for path in ("/api/v1/me", "/api/v1/latest", "/api/v1/stream"):
                answer = await client.get(path)
                is_problem(answer, 503)
                assert int(answer.headers["retry-after"]) > 0
            ready = await client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["parts"][0]["name"] == "database"
            assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/latest?distrct=12.09.19", "/api/v1/metrics/streetlight?panell=P-01"])
async def test_a_filter_with_a_slip_in_its_name_is_refused(viewer: httpx.AsyncClient, path: str) -> None:
    problem = is_problem(await viewer.get(path), 422)
    assert problem["errors"][0]["field"] in ("distrct", "panell")
    assert "district" in problem["detail"]
    assert "panel" in problem["detail"]


async def test_database_restart_costs_no_request(viewer: httpx.AsyncClient, db: psycopg.Connection) -> None:
    assert (await viewer.get("/api/v1/devices")).status_code == 200
    db.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'siaga api' AND datname = current_database()"
    )
    assert (await viewer.get("/api/v1/devices")).status_code == 200


async def test_503_when_the_query_takes_too_long(viewer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.read_alerts.COUNTS", "SET statement_timeout = 10; SELECT pg_sleep(5), 1, 1")
    problem = is_problem(await viewer.get("/api/v1/alerts/counts"), 503)
    assert "SIAGA_STATEMENT_TIMEOUT_S" in problem["detail"]


async def test_503_before_migrate(viewer: httpx.AsyncClient, db: psycopg.Connection) -> None:
    db.execute("ALTER TABLE latest RENAME TO later")
    try:
        problem = is_problem(await viewer.get("/api/v1/latest"), 503)
    finally:
        db.execute("ALTER TABLE later RENAME TO latest")
    assert "siaga migrate" in problem["detail"]


async def test_an_unforeseen_error_is_a_500_that_names_its_log_line(app: Any, client: Any) -> None:
    broken = Endpoints()

    @broken.get("/broken", role="anyone")
    async def fail() -> None:
        raise RuntimeError("secret")

    app.router.routes.extend(broken)
    answer = await client(None).get("/broken")
    problem = is_problem(answer, 500)
    assert answer.headers["x-request-id"] in problem["detail"]
    assert "secret" not in answer.text


async def test_openapi_documents_every_address_and_status(viewer: httpx.AsyncClient, app: Any) -> None:
    answer = await viewer.get("/openapi.json")
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    for route in app.routes:
        if not route.include_in_schema:
            continue
        for method in route.methods:
            operation = document["paths"][route.path][method.lower()]
            assert operation["description"], route.path
            codes = set(operation["responses"])
            assert {"422", "503"} <= codes
            if route.role != "anyone":
                assert "401" in codes
                assert operation["security"]
            for code, response in operation["responses"].items():
                if code.startswith("4"):
                    assert response["content"].keys() == {PROBLEM}
                    assert response["content"][PROBLEM]["schema"]["$ref"] == f"#/components/schemas/Problem{code}"
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    assert "HTTPValidationError" not in schemas
    limit = next(p for p in document["paths"]["/api/v1/devices"]["get"]["parameters"] if p["name"] == "limit")
    assert limit["schema"]["anyOf"][0]["maximum"] == 1000


async def test_docs_need_no_script(viewer: httpx.AsyncClient) -> None:
    page = await viewer.get("/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "/api/v1/alerts/{alert_id}/ack" in page.text


async def test_asyncapi_needs_no_key(client: Any, settings: Settings) -> None:
    answer = await client(None).get("/asyncapi.json")
    limits = asyncapi.Limits(settings.array_max, settings.payload_max_bytes)
    assert answer.json() == asyncapi.document(KINDS.values(), limits)


async def test_security_headers_are_on_everything(viewer: httpx.AsyncClient) -> None:
    for path in ("/api/v1/me", "/nothing", "/healthz", "/docs", "/api/v1/devices?limit=0"):
        headers = (await viewer.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert (await viewer.get("/api/v1/me")).headers["cache-control"] == "no-store"


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(v) for v in value.values()))
    return set().union(*(_references(v) for v in value)) if isinstance(value, list) else set()
