"""What every request meets before an endpoint does: rates, deadlines, proxies, other sites, browser policies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api import metrics
from api.app import create_app
from api.auth import Endpoints
from api.forwarded import client_of
from runtime.settings import SettingError, Settings, load


@pytest.fixture
def settings(database_url: str, request: pytest.FixtureRequest) -> Settings:
    return Settings(database_url=database_url, page_max=1000, **getattr(request, "param", {}))


def with_settings(**changes: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("settings", [changes], indirect=True, ids=["changed"])


@with_settings(rate_key_per_min=3, rate_address_per_min=50)
async def test_a_key_that_asks_too_often_gets_429_and_others_do_not(client: Callable[..., httpx.AsyncClient]) -> None:
    viewer, operator = client("viewer"), client("operator")
    for left in (None, 2, 1, 0):  # the first counts for the address, as nobody knew the key before
        answer = await viewer.get("/api/v1/kinds")
        assert answer.status_code == 200
        if left is not None:
            assert answer.headers["ratelimit-policy"] == '"key";q=3;w=60'
            assert answer.headers["ratelimit"].startswith(f'"key";r={left};t=')
    before = metrics.RATE_LIMITED.labels("key")._value.get()
    refused = await viewer.get("/api/v1/kinds")
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert "SIAGA_RATE_KEY_PER_MIN" in refused.json()["detail"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert metrics.RATE_LIMITED.labels("key")._value.get() == before + 1
    assert (await operator.get("/api/v1/kinds")).status_code == 200
    assert (await viewer.get("/healthz")).status_code == 200


@with_settings(rate_key_per_min=1000, rate_address_per_min=5)
async def test_keys_that_are_invented_count_for_the_address(client: Callable[..., httpx.AsyncClient]) -> None:
    viewer = client("viewer")
    assert (await viewer.get("/api/v1/me")).status_code == 200
    nobody = client(None)
    statuses = [
        (await nobody.get("/api/v1/me", headers={"Authorization": f"Bearer guess-{n}"})).status_code for n in range(6)
    ]
    assert statuses == [401, 401, 401, 401, 429, 429]
    sign_in = await nobody.post("/api/v1/session", json={"key": "guess"})
    assert sign_in.status_code == 429
    assert "SIAGA_RATE_ADDRESS_PER_MIN" in sign_in.json()["detail"]
    # Who is known is not shut out by somebody at the same address.
    assert (await viewer.get("/api/v1/me")).status_code == 200


@with_settings(rate_key_per_min=0, rate_address_per_min=0)
async def test_without_limits_nothing_is_said_of_them(viewer: httpx.AsyncClient) -> None:
    answers = [await viewer.get("/api/v1/kinds") for _ in range(3)]
    assert {a.status_code for a in answers} == {200}
    assert not any("ratelimit" in a.headers for a in answers)


@with_settings(request_timeout_s=0.1)
async def test_an_answer_that_does_not_begin_in_time_is_503(app: Any, client: Callable[..., httpx.AsyncClient]) -> None:
    slow, ended = Endpoints(), asyncio.Event()

    @slow.get("/slow", role="anyone")
    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    app.router.routes.extend(slow)
    answer = await client(None).get("/slow")
    assert answer.status_code == 503
    assert "SIAGA_REQUEST_TIMEOUT_S" in answer.json()["detail"]
    assert "retry-after" in answer.headers
    assert ended.is_set()


@with_settings(request_timeout_s=2, live_poll_s=0.05)
async def test_a_stream_may_take_longer(streams: Any) -> None:
    stream = await streams()
    await asyncio.sleep(2.2)  # the answer itself begins within the deadline on a busy machine, too
    assert not stream.ended.is_set()
    await stream.next("beat")


async def test_browsers_are_told_what_they_may_not_do(viewer: httpx.AsyncClient) -> None:
    headers = (await viewer.get("/api/v1/me")).headers
    assert "geolocation=()" in headers["permissions-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "strict-transport-security" not in headers
    secure = await viewer.get("https://siaga/api/v1/me")
    assert secure.headers["strict-transport-security"] == "max-age=31536000"


async def test_other_sites_get_nothing(viewer: httpx.AsyncClient) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    answer = await viewer.get("/api/v1/me", headers=origin)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    asked = await viewer.options("/api/v1/me", headers=origin | {"Access-Control-Request-Method": "GET"})
    assert asked.status_code == 405


@with_settings(cors_origins="https://peta.example.go.id")
async def test_a_site_that_is_named_may_ask_with_a_key(viewer: httpx.AsyncClient) -> None:
    asking = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    for origin, allowed in (("https://peta.example.go.id", True), ("https://elsewhere.example", False)):
        asked = await viewer.options("/api/v1/me", headers=asking | {"Origin": origin})
        assert (asked.status_code == 200) == allowed
        answer = await viewer.get("/api/v1/me", headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
        assert "access-control-allow-credentials" not in answer.headers


FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Request-Id": "proxy-17"}


async def test_nobody_is_believed_to_be_a_proxy(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/api/v1/me", headers=FORWARDED)
    assert answer.headers["x-request-id"] != "proxy-17"
    assert "strict-transport-security" not in answer.headers


@with_settings(trusted_proxies="10.0.0.0/8, 127.0.0.1", rate_address_per_min=2)
async def test_a_proxy_that_is_named_is_believed(client: Callable[..., httpx.AsyncClient]) -> None:
    nobody = client(None)
    answer = await nobody.get("/api/v1/me", headers=FORWARDED)
    assert answer.headers["x-request-id"] == "proxy-17"
    assert "strict-transport-security" in answer.headers
    odd = await nobody.get("/api/v1/me", headers=FORWARDED | {"X-Request-Id": 'x" level=error'})
    assert odd.headers["x-request-id"].isalnum()
    # Limits go by the address behind the proxy.
    assert (await nobody.get("/api/v1/me", headers=FORWARDED)).status_code == 429
    other = FORWARDED | {"X-Forwarded-For": "203.0.113.10"}
    assert (await nobody.get("/api/v1/me", headers=other)).status_code == 401


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),  # no proxy of ours
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),  # the first is what the client wrote
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("unix", "203.0.113.9", "unix"),
    ],
)
def test_the_last_address_that_is_no_proxy_counts(peer: str, said: str, client: str) -> None:
    proxies = Settings(trusted_proxies="10.0.0.0/8").proxies
    assert client_of(peer, said, proxies) == client


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIAGA_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("SIAGA_TRUSTED_PROXIES", "*"),
        ("SIAGA_CORS_ORIGINS", "*"),
        ("SIAGA_CORS_ORIGINS", "https://peta.example.go.id/peta"),
    ],
)
def test_settings_that_would_open_more_than_is_meant_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=name):
        load()


async def test_large_answers_are_compressed_and_streams_are_not(viewer: httpx.AsyncClient, town: Any) -> None:
    for number in range(50):
        town.device(f"lamp-{number}")
    answer = await viewer.get("/api/v1/devices", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.json()["items"]) == 50


def test_the_layers_stand_in_the_order_that_counts(settings: Settings) -> None:
    """Who asks is known before it is logged, logged before it is refused."""
    names = [layer.cls.__name__ for layer in create_app(settings).user_middleware]
    ours = ["Forwarded", "Watched", "RateLimited", "Deadline", "Limited"]
    assert [name for name in names if name in ours] == ours
