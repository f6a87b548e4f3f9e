"""Every link of the OpenAPI document leads somewhere: what one answer holds, the address that it names takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from api.links import LINKS, Link
from runtime.settings import Settings
from tests.api.test_matrix import TABLE, Row, ask, fill
from tests.api.test_notices import PLAN
from tests.api.two_regencies import build, undo

# What must have been done before, so that the source can be.
BEFORE = {"unacknowledge_alert": "acknowledge_alert", "unshelve_alert": "shelve_alert"}
SHIFT = {"team": "bpbd", "person": "Rudi", "to": "{soon}"}
# Understood, and not possible now.
CONFLICT = 409


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "plan.toml").write_text(PLAN)
    return settings.model_copy(update={"notice_plan": str(tmp_path / "plan.toml")})


@pytest.fixture
def names(town: Any, db: psycopg.Connection) -> Iterator[dict[str, str]]:
    yield build(town, db)[0]
    undo(db)


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link.source} to {link.target}")
async def test_it_leads_somewhere(link: Link, client: Any, names: dict[str, str], app: Any) -> None:
    addresses = {
        operation["operationId"]: f"{method.upper()} {path}"
        for path, operations in app.state.document()["paths"].items()
        for method, operation in operations.items()
    }
    rows = TABLE | {addresses["create_shift"]: TABLE[addresses["create_shift"]]._replace(body=SHIFT)}
    admin = client("admin")

    async def do(operation: str, ask_for: str | None = None) -> httpx.Response:
        row = rows[addresses[operation]]
        return await ask(admin, addresses[operation], row if ask_for is None else row._replace(ask=ask_for), names)

    for prepared in [BEFORE.get(link.source), *(["create_shift"] * 2 if "shift" in link.source else [])]:
        if prepared:
            assert (await do(prepared)).is_success
    paged = link.parameters.keys() == {"cursor"}
    first = await do(link.source, f"{addresses[link.source].split()[1][7:]}?limit=1" if paged else None)
    assert first.is_success, first.text
    found = {name: _at(first.json(), pointer) for name, pointer in link.parameters.items()}
    answer = await _follow(admin, addresses[link.target], rows[addresses[link.target]], found, names)
    assert answer.is_success or answer.status_code == CONFLICT, f"{answer.request.url}: {answer.text}"


def _at(content: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        content = content[int(step) if isinstance(content, list) else step]
    assert content is not None, pointer
    return content


async def _follow(
    admin: httpx.AsyncClient, address: str, row: Row, found: dict[str, Any], names: dict[str, str]
) -> httpx.Response:
    method, path = address.split()
    _, _, query = row.ask.partition("?")
    given = dict(each.split("=") for each in query.split("&") if each)
    for parameter, value in found.items():
        if f"{{{parameter}}}" not in path:
            given[parameter] = str(value)
        path = path.replace(f"{{{parameter}}}", str(value))
    path = re.sub(r"\{action\}", "claim", path)
    return await admin.request(
        method, path, params=fill(given, names), json=fill(row.body, names), headers={"If-Match": "*"}
    )
