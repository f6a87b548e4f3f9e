"""What is on its way out says so in every answer, also in errors, and in OpenAPI; nothing else does."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.responses import Response

from api.auth import Endpoints
from api.deprecation import Deprecated

GOING = Deprecated(since=date(2027, 1, 1), until=date(2028, 7, 1), instead="/api/v2/things")


@pytest.fixture
def going(app: Any) -> Endpoints:
    """Two routes beside the real ones: one that is deprecated, one that takes its place."""
    added = Endpoints("/api")

    @added.get("/v1/things", role="viewer", deprecated=GOING)
    async def list_old() -> Response:
        """Things."""
        return Response("old", headers={"Link": '</api/v1/things?cursor=x>; rel="next"'})

    @added.get("/v2/things", role="viewer")
    async def list_new() -> Response:
        """Things."""
        return Response("new")

    app.router.routes[:0] = added
    return added


async def test_every_answer_says_since_when_and_until_when(going: Endpoints, client: Any) -> None:
    for role, status in (("viewer", 200), (None, 401)):
        answer = await client(role).get("/api/v1/things")
        assert answer.status_code == status
        assert answer.headers["deprecation"] == "@1798761600"  # RFC 9745: seconds since 1970
        assert answer.headers["sunset"] == "Sat, 01 Jul 2028 00:00:00 GMT"
        assert '</api/v2/things>; rel="successor-version"' in answer.headers.get_list("link")
    answer = await client("viewer").get("/api/v1/things")
    assert answer.links["next"]["url"] == "/api/v1/things?cursor=x"


async def test_others_say_nothing(going: Endpoints, client: Any) -> None:
    for path in ("/api/v2/things", "/api/v1/me", "/nothing"):
        headers = (await client("viewer").get(path)).headers
        assert "deprecation" not in headers
        assert "sunset" not in headers


def test_openapi_marks_it(going: Endpoints) -> None:
    described = FastAPI()
    described.router.routes.extend(going)
    paths = described.openapi()["paths"]
    assert paths["/api/v1/things"]["get"]["deprecated"] is True
    assert "use /api/v2/things" in paths["/api/v1/things"]["get"]["description"]
    assert "deprecated" not in paths["/api/v2/things"]["get"]


def test_nobody_is_given_less_than_a_year() -> None:
    with pytest.raises(ValueError, match="365 days"):
        Deprecated(since=date(2027, 1, 1), until=date(2027, 12, 31), instead="/api/v2/things")
