"""An address that is spelled out is never taken for the parameter of another."""

from __future__ import annotations

import re

import httpx
import pytest

from api.addresses import pattern

PATHS = ["/a/{id}", "/a/bulk", "/a/{action}", "/a/{id}/{action}", "/b/{name}"]
ONLY = {("/a/{id}", "id"): "-?[0-9]+", ("/a/{action}", "action"): "claim|discard"}


def matching(address: str) -> list[str]:
    return [p for p in PATHS if re.match(pattern(p, [o for o in PATHS if o != p], ONLY), address)]


@pytest.mark.parametrize(
    ("address", "paths"),
    [
        ("/a/1", ["/a/{id}"]),
        ("/a/bulk", ["/a/bulk"]),
        ("/a/claim", ["/a/{action}"]),
        ("/a/claims", ["/a/{id}", "/a/{action}"]),  # neither; the first that has the method says what is wrong
        ("/a/1/claim", ["/a/{id}/{action}"]),
        ("/b/bulk", ["/b/{name}"]),
        ("/a/", []),
    ],
)
def test_what_is_spelled_out_comes_first(address: str, paths: list[str]) -> None:
    assert matching(address) == paths


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/api/v1/alerts/bulk", "POST"),
        ("GET", "/api/v1/quarantine/claim", "POST"),
        ("PUT", "/api/v1/rules/dry-run", "POST"),
        ("DELETE", "/api/v1/quarantine/groups", "GET"),
    ],
)
async def test_a_method_of_another_address_is_405(
    viewer: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await viewer.request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == {allow}
