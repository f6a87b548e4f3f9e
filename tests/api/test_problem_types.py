"""Every problem has a type, every type a page, and the page in docs/ is made from the same table."""

from __future__ import annotations

import ast
from html import escape
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.exceptions import HTTPException

from api import problem_types
from api.auth import Endpoints
from api.problem_types import BY_NAME, TYPES, ProblemType

ROOT = Path(__file__).resolve().parents[2]
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def rendered() -> str:
    """The table as docs/problems.md has it."""
    return "".join(_section(kind) for kind in TYPES)


def _section(kind: ProblemType) -> str:
    beside = [f"`{name}`" for name in (*kind.members, *kind.headers)]
    told = f" With it: {', '.join(beside)}." if beside else ""
    return f"## `{kind.name}`\n\n{kind.status} {kind.title}. {kind.when}\n\n{kind.what_to_do}{told}\n\n"


def test_the_page_has_this_table() -> None:
    page = (ROOT / "docs/problems.md").read_text(encoding="utf-8")
    assert page.split("<!-- types -->\n")[1].split("<!-- /types -->")[0] == rendered()


def test_names_are_unique_and_every_type_is_in_the_table() -> None:
    declared = [value for value in vars(problem_types).values() if isinstance(value, ProblemType)]
    assert {kind.name for kind in declared} == BY_NAME.keys()
    assert len(BY_NAME) == len(TYPES) == len(declared)


def test_every_type_is_answered_somewhere() -> None:
    """By its name in the code: what nobody raises must not be documented."""
    constants = {value.name: name for name, value in vars(problem_types).items() if isinstance(value, ProblemType)}
    used: set[str] = set()
    for path in (ROOT / "api").rglob("*.py"):
        if path.name != "problem_types.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert set(constants.values()) <= used, set(constants.values()) - used


def test_openapi_names_the_types_of_every_status(app: Any) -> None:
    document = app.state.document()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for code, response in operation["responses"].items():
                content = response.get("content", {}).get("application/problem+json")
                if content is None:
                    assert code.startswith("2"), f"{path} {code}"
                    continue
                schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
                named = schema["properties"]["type"]["enum"]
                assert named == [kind.uri for kind in TYPES if kind.status == int(code)]
                assert named, f"{path} {code} has no type"


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
async def test_every_type_leads_to_a_page(client: Any, kind: ProblemType) -> None:
    nobody = client(None)
    page = await nobody.get(kind.uri, headers=BROWSER)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert escape(kind.title) in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
    told = await nobody.get(kind.uri)
    assert told.headers["vary"] == page.headers["vary"] == "Accept"
    item = told.json()
    assert (item["type"], item["status"], item["when"]) == (kind.uri, kind.status, kind.when)


async def test_the_list_has_every_type(client: Any) -> None:
    nobody = client(None)
    listed = (await nobody.get("/problems")).json()["items"]
    assert [item["type"] for item in listed] == [kind.uri for kind in TYPES]
    page = (await nobody.get("/problems", headers=BROWSER)).text
    assert all(f'href="{kind.uri}"' in page for kind in TYPES)


async def test_a_type_that_is_none_is_404(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/problems/nothing")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_what_only_has_a_status_is_about_blank(app: Any, client: Any) -> None:
    strange = Endpoints()

    @strange.get("/strange", role="anyone")
    async def fail() -> None:
        raise HTTPException(418, headers={"X-Kept": "yes"})

    app.router.routes.extend(strange)
    answer = await client(None).get("/strange")
    assert answer.json() == {"type": "about:blank", "title": "I'm a Teapot", "status": 418}
    assert answer.headers["x-kept"] == "yes"
