"""Registering the fleet: in parts, again while the API is starting, and never again once it says no."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from devices.device import Device
from devices.fleet_csv import read_csv
from simulator import register as module
from simulator.fleet import make_fleet
from simulator.register import RegisterError, register

FLEET = make_fleet(30, 1)
DONE = {"added": 30, "updated": 0, "unchanged": 0}


class Api:
    """Answers in turn, the last one for ever; an exception is raised instead of answered."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.asked = list(answers), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content)

    def devices(self) -> list[list[Device]]:
        return [read_csv(io.StringIO(request.content.decode(), newline="")).devices for request in self.asked]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Api]:
    """An API in this process, and a clock that stands still but for the pauses between two tries."""
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def made(*answers: httpx.Response | Exception) -> Api:
        api = Api(*answers)
        client = partial(httpx.AsyncClient, transport=httpx.MockTransport(api))
        monkeypatch.setattr(module.httpx, "AsyncClient", client)
        return api

    return made


async def run(**change: Any) -> dict[str, int]:
    given = {"api_url": "http://api:8800/", "api_key": "key", "devices": FLEET, **change}
    return await register(**given)


def problem(status: int, **fields: Any) -> httpx.Response:
    return httpx.Response(status, json={"title": "Not so", **fields})


async def test_the_fleet_is_posted_as_csv_with_the_key(serve: Callable[..., Api]) -> None:
    api = serve(httpx.Response(200, json=DONE))
    assert await run() == DONE
    (request,) = api.asked
    assert str(request.url) == "http://api:8800/api/v1/devices/import"
    assert request.headers["authorization"] == "Bearer key"
    assert request.headers["content-type"] == "text/csv"
    assert api.devices() == [FLEET]


async def test_a_large_fleet_goes_in_parts_and_is_counted_together(
    serve: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PER_REQUEST", 12)
    api = serve(httpx.Response(200, json={"added": 1, "updated": 2, "unchanged": 3}))
    assert await run() == {"added": 3, "updated": 6, "unchanged": 9}
    assert [device for part in api.devices() for device in part] == FLEET
    assert [len(part) for part in api.devices()] == [12, 12, 6]


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        problem(503),
        problem(429),
        httpx.Response(502, text="x"),
    ],
    ids=repr,
)
async def test_an_api_that_is_still_starting_is_asked_again(
    serve: Callable[..., Api], trouble: httpx.Response | Exception
) -> None:
    api = serve(trouble, trouble, httpx.Response(200, json=DONE))
    assert await run() == DONE
    assert len(api.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
async def test_a_refusal_is_final_and_says_why(serve: Callable[..., Api], status: int) -> None:
    wrong = [{"row": 3, "field": "lat", "message": "95 is outside -90..90 degrees"}]
    api = serve(problem(status, detail="1 of 30 rows", errors=wrong))
    with pytest.raises(RegisterError, match=f"HTTP {status}; Not so; 1 of 30 rows; row 3, lat: 95") as caught:
        await run()
    assert len(api.asked) == 1
    assert ("SIAGA_API_KEY" in str(caught.value)) is (status in (401, 403))


@pytest.mark.parametrize("body", ["", "<html>", "[]", "null", '{"errors": 5}', '{"errors": [5]}', '{"errors": {}}'])
async def test_a_refusal_that_is_no_problem_document_is_told_by_its_status(
    serve: Callable[..., Api], body: str
) -> None:
    serve(httpx.Response(404, text=body))
    with pytest.raises(RegisterError, match="HTTP 404"):
        await run()


@pytest.mark.parametrize("body", ["", "<html>", "7"])
async def test_an_answer_of_somebody_else_names_the_setting(serve: Callable[..., Api], body: str) -> None:
    serve(httpx.Response(200, text=body))
    with pytest.raises(RegisterError, match="SIAGA_API_URL"):
        await run()


async def test_after_a_time_it_gives_up_and_names_the_setting(serve: Callable[..., Api]) -> None:
    api = serve(httpx.ConnectError("refused"))
    with pytest.raises(RegisterError, match=r"could not be reached: ConnectError: refused\. Is SIAGA_API_URL right"):
        await run(give_up_s=30.0)
    assert 5 < len(api.asked) < 20, "with growing pauses"


async def test_repeating_it_is_safe(serve: Callable[..., Api]) -> None:
    api = serve(httpx.Response(200, json=DONE), httpx.Response(200, json={"unchanged": 30}))
    assert await run() == DONE
    assert await run() == {"added": 0, "updated": 0, "unchanged": 30}
    assert api.asked[0].content == api.asked[1].content
