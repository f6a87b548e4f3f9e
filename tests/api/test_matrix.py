"""Role × route × region: what each may do at every address, and that nothing of another region is seen or changed.

TABLE has a line for every route; one without a line fails. docs/security.md has the same table.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import httpx
import psycopg
import pytest

from api.app import AREAS
from api.auth import Endpoint
from storage import keys
from storage.keys import ROLES
from tests.api.two_regencies import HOME, TRACE, build, undo

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/security.md"
Sees = Literal["own", "nothing", "whole"]


class Row(NamedTuple):
    """role: the least that may. sees: own: of one's regions; nothing: it is about no device; whole: only who sees all.

    ask: what to ask it, with names of tests/api/two_regencies.py; body: sent with it; header: of alerts, If-Match.
    """

    role: str
    sees: Sees = "own"
    ask: str = ""
    body: Any = None
    other: int = 404  # what a change of the other regency's things is answered
    own: frozenset[int] = frozenset((200, 201, 204))  # what one of one's own


V, OP, E, A = "viewer", "operator", "engineer", "admin"
NOW = {"comment": "x"}
WHY = {"reason": "x"}
TABLE: dict[str, Row] = {
    "GET /api/v1/me": Row(V, "nothing"),
    "GET /api/v1/kinds": Row(V, "nothing"),
    "GET /api/v1/devices": Row(V),
    "GET /api/v1/devices/{device_id}": Row(V, ask="/devices/{lamp}"),
    "POST /api/v1/devices/import": Row(
        E, ask="/devices/import", body="id,kind,region,name\n{lamp}-new,streetlight,{region},Baru\n", other=403
    ),
    "GET /api/v1/devices/{device_id}/commands": Row(V, ask="/devices/{lamp}/commands"),
    "POST /api/v1/devices/{device_id}/commands": Row(
        OP, ask="/devices/{lamp}/commands", body={"name": "dim", "args": {"level_pct": 50}}
    ),
    "GET /api/v1/devices/{device_id}/life": Row(V, ask="/devices/{lamp}/life"),
    "POST /api/v1/devices/{device_id}/life": Row(
        E, ask="/devices/{lamp}/life", body={"status": "in_service", "reason": "x"}
    ),
    "GET /api/v1/devices/{device_id}/history": Row(V, ask="/devices/{lamp}/history"),
    "GET /api/v1/commands": Row(V),
    "POST /api/v1/commands": Row(
        E,
        ask="/commands",
        body={"kind": "streetlight", "scope": "panel", "group": "{panel}", "name": "switch", "args": {"state": "auto"}},
    ),
    "GET /api/v1/devices/{device_id}/credential": Row(E, ask="/devices/{lamp}/credential"),
    "POST /api/v1/devices/{device_id}/credential": Row(E, ask="/devices/{gauge}/credential", body={"days": 30}),
    "POST /api/v1/devices/{device_id}/credential/rotate": Row(E, ask="/devices/{lamp}/credential/rotate"),
    "DELETE /api/v1/devices/{device_id}/credential": Row(E, ask="/devices/{lamp}/credential"),
    "GET /api/v1/latest": Row(V),
    "GET /api/v1/readings": Row(V, ask="/readings?device={lamp}&from=-6h"),
    "POST /api/v1/readings": Row(E, ask="/readings", body=[{"device": "{lamp}", "ts": "{hour}"}], other=503),
    "GET /api/v1/metrics/{kind}": Row(V, ask="/metrics/streetlight?from=-6h&group=panel"),
    "GET /api/v1/streetlights/night": Row(V),
    "GET /api/v1/streetlights/summary": Row(V),
    "GET /api/v1/traffic/now": Row(V),
    "GET /api/v1/traffic/course": Row(V),
    "GET /api/v1/traffic/typical": Row(V, ask="/traffic/typical?device={lane}"),
    "GET /api/v1/series": Row(V, ask="/series?device={gauge}&from=-6h"),
    "GET /api/v1/alerts/kpi": Row(V),
    "GET /api/v1/alerts/advice": Row(V),
    "POST /api/v1/alerts/{alert_id}/ack": Row(OP, ask="/alerts/{alert}/ack", body=NOW),
    "POST /api/v1/alerts/{alert_id}/unack": Row(OP, ask="/alerts/{alert}/unack", body=WHY),
    "POST /api/v1/alerts/{alert_id}/shelve": Row(
        OP, ask="/alerts/{held}/shelve", body={"until": "{soon}", "reason": "x"}
    ),
    "POST /api/v1/alerts/{alert_id}/unshelve": Row(OP, ask="/alerts/{held}/unshelve", body=WHY),
    "POST /api/v1/alerts/{alert_id}/comment": Row(OP, ask="/alerts/{alert}/comment", body=NOW),
    "POST /api/v1/alerts/{alert_id}/assign": Row(OP, ask="/alerts/{alert}/assign", body={"assignee": "budi"}),
    "POST /api/v1/alerts/bulk": Row(
        OP, ask="/alerts/bulk", body={"action": "ack", "items": [{"id": "{incident}"}]}, other=200
    ),
    "GET /api/v1/alerts/shelves": Row(V),
    "DELETE /api/v1/alerts/shelves/{rule}/{device_id}": Row(OP, ask="/alerts/shelves/flat/{lamp}"),
    "GET /api/v1/incidents": Row(V),
    "GET /api/v1/incidents/{alert_id}": Row(V, ask="/incidents/{incident}"),
    "GET /api/v1/incidents/{alert_id}/members": Row(V, ask="/incidents/{incident}/members"),
    "GET /api/v1/alerts/groups": Row(V),
    "GET /api/v1/alerts": Row(V, ask="/alerts?state=all"),
    "GET /api/v1/alerts/counts": Row(V, "nothing"),
    "GET /api/v1/alerts/{alert_id}": Row(V, ask="/alerts/{alert}"),
    "GET /api/v1/alerts/{alert_id}/file": Row(V, ask="/alerts/{incident}/file"),
    "GET /api/v1/rules": Row(V, "nothing"),
    "GET /api/v1/rules/{rule_id}": Row(V, "nothing", ask="/rules/stale"),
    "PUT /api/v1/rules/{rule_id}": Row(E, "whole", ask="/rules/stale", body={}),
    "DELETE /api/v1/rules/{rule_id}": Row(E, "whole", ask="/rules/stale?kind=streetlight"),
    "POST /api/v1/rules/dry-run": Row(
        E, ask="/rules/dry-run", body={"from": "{hour}", "ids": ["lamp_out"], "devices": ["{lamp}"]}, other=422
    ),
    "GET /api/v1/windows": Row(V),
    "GET /api/v1/windows/{window_id}": Row(V, ask="/windows/{window}"),
    "POST /api/v1/windows": Row(
        OP, ask="/windows", body={"scope": "panel", "name": "{panel}", "to": "{soon}", "reason": "x"}, other=403
    ),
    "POST /api/v1/windows/{window_id}/end": Row(OP, ask="/windows/{window}/end", body=WHY),
    "GET /api/v1/quarantine": Row(V),
    "GET /api/v1/quarantine/groups": Row(V),
    "GET /api/v1/quarantine/{entry_id}": Row(OP, ask="/quarantine/{entry}"),
    "POST /api/v1/quarantine/{action}": Row(E, ask="/quarantine/claim", body={"ids": ["{entry}"]}, other=200),
    "POST /api/v1/quarantine/{entry_id}/{action}": Row(E, ask="/quarantine/{entry}/claim", body={}),
    "GET /api/v1/ledger": Row(V, ask="/ledger?device={lamp}&from=-6h"),
    "GET /api/v1/ledger/summary": Row(V, ask="/ledger/summary?by=district&from=-6h"),
    "GET /api/v1/ledger/devices": Row(V, ask="/ledger/devices?from=-6h"),
    "GET /api/v1/ledger/missing": Row(V, ask="/ledger/missing?device={lamp}&from=-6h"),
    "GET /api/v1/ledger/drift": Row(V, ask="/ledger/drift?device={lamp}&from=-6h"),
    "GET /api/v1/forecasts": Row(V),
    "GET /api/v1/forecasts/past": Row(V),
    "GET /api/v1/forecasts/score": Row(V),
    "GET /api/v1/rivers/lags": Row(V),
    "GET /api/v1/rivers/rain": Row(V),
    "GET /api/v1/notices": Row(V),
    "GET /api/v1/notices/plan": Row(V, "whole"),
    "POST /api/v1/notices/{delivery_id}/retry": Row(OP, ask="/notices/{delivery}/retry"),
    "GET /api/v1/duty": Row(V, "whole"),
    "GET /api/v1/duty/now": Row(V, "whole"),
    "POST /api/v1/duty": Row(OP, "whole", ask="/duty", body={}),
    "POST /api/v1/duty/{shift_id}/end": Row(OP, "whole", ask="/duty/1/end"),
    "GET /api/v1/handover/draft": Row(V),
    "GET /api/v1/handover": Row(V),
    "GET /api/v1/handover/{handover_id}": Row(V, ask="/handover/{handover}"),
    # What they write is of their own regency; they cannot take over while alerts are unacknowledged.
    "POST /api/v1/handover": Row(OP, ask="/handover", body={"notes": "x"}, other=201),
    "POST /api/v1/handover/{handover_id}/sign": Row(
        OP, ask="/handover/{handover}/sign", body=WHY, own=frozenset({409})
    ),
    "GET /api/v1/stream": Row(V),  # tests/api/test_regions.py
    "DELETE /api/v1/session": Row(V, "nothing"),
    "POST /api/v1/session/password": Row(V, "nothing", ask="/session/password", body={}),
    "GET /api/v1/sessions": Row(V, "nothing"),
    "DELETE /api/v1/sessions/{session_id}": Row(V, "nothing", ask="/sessions/1"),
    "GET /api/v1/users": Row(A, "whole"),
    "POST /api/v1/users": Row(A, "whole", ask="/users", body={}),
    "PUT /api/v1/users/{name}": Row(A, "whole", ask="/users/x", body={}),
    "GET /api/v1/keys": Row(V, "nothing"),
    "POST /api/v1/keys": Row(V, "nothing", ask="/keys", body={}),
    "DELETE /api/v1/keys/{key_id}": Row(V, "nothing", ask="/keys/1"),
    "GET /api/v1/audit": Row(A, "whole"),
}
# Who calls; nothing of theirs is about a device.
PUBLIC = {
    "GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json", "GET /asyncapi.json", "GET /docs",
    "GET /sign-in", "GET /dinding", "GET /problems", "GET /problems/{name}", "POST /api/v1/session",
    "GET /api/v1/session", "GET /sign-in/oidc", "GET /sign-in/oidc/back",
}  # fmt: skip
STREAM = "GET /api/v1/stream"
LIMITED = "key-of-one-regency"


def routes() -> dict[str, Endpoint]:
    """Every route by method and path; without pages and their files, which are the same for all."""
    return {
        f"{method} {endpoint.path}": endpoint
        for area in AREAS
        for endpoint in area.ENDPOINTS
        for method in endpoint.methods
        if endpoint.name not in ("show_page", "show_asset", "show_vendored")
    }


def test_every_route_has_a_line_and_every_line_a_route() -> None:
    assert routes().keys() - PUBLIC == TABLE.keys()


def rendered() -> str:
    """The table as docs/security.md has it."""
    lines = [
        f"| `{name.replace('/api/v1', '')}` | {row.role} | {row.sees} |\n"
        for name, row in sorted(TABLE.items(), key=_path)
    ]
    return "| address | role | sees |\n|---|---|---|\n" + "".join(lines)


def _path(item: tuple[str, Row]) -> list[str]:
    return item[0].split()[::-1]


def test_the_page_has_this_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.split("<!-- roles -->\n")[1].split("<!-- /roles -->")[0] == rendered()


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"(tests/[a-z_/]+\.py)::(test_\w+)", PAGE.read_text(encoding="utf-8")))
    assert len(named) > 15
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"


def test_every_route_has_the_role_of_its_line() -> None:
    for name, endpoint in routes().items():
        if name in PUBLIC:
            assert endpoint.role == "anyone", name
        else:
            assert (endpoint.role, endpoint.whole) == (TABLE[name].role, TABLE[name].sees == "whole"), name


@pytest.fixture
def towns(town: Any, db: psycopg.Connection) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    yield build(town, db)
    undo(db)


@pytest.fixture
def caller(app: Any, client: Any, db: psycopg.Connection) -> Callable[..., httpx.AsyncClient]:
    """Somebody with a role, who is limited to one regency or not."""

    def who(role: str, limited: bool) -> httpx.AsyncClient:
        if not limited:
            made: httpx.AsyncClient = client(role)
            return made
        key = f"{LIMITED}-{role}"
        db.execute(
            "INSERT INTO api_key (name, digest, role, regions) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (key, keys.digest(key), role, [HOME]),
        )
        made = client(None)
        made.headers["Authorization"] = f"Bearer {key}"
        return made

    return who


@pytest.mark.parametrize("limited", [False, True], ids=["whole", "limited"])
@pytest.mark.parametrize("role", ROLES)
async def test_each_role_gets_in_where_its_line_says(caller: Any, role: str, limited: bool) -> None:
    """Nothing is asked for that could be done: who gets in is told what is wrong with it."""
    client = caller(role, limited)
    for name, row in TABLE.items():
        if name == STREAM:
            continue
        method, path = name.split()
        filled = re.sub(r"\{[^}]+\}", "x", path.replace("{kind}", "traffic").replace("{action}", "claim"))
        answer = await client.request(method, filled, content=b"{ not json")
        refused = ROLES.index(role) < ROLES.index(row.role) or (limited and row.sees == "whole")  # type: ignore[arg-type]
        assert (answer.status_code == 403) == refused, f"{name} as {role}: {answer.status_code} {answer.text}"
        assert answer.status_code not in (401, 500), f"{name}: {answer.text}"


async def ask(client: httpx.AsyncClient, name: str, row: Row, names: dict[str, str]) -> httpx.Response:
    method, path = name.split()
    address = f"/api/v1{row.ask}" if row.ask else path
    content, headers = fill(row.body, names), {"If-Match": "*"}
    if isinstance(content, str):
        return await client.request(method, fill(address, names), content=content, headers=headers)
    return await client.request(method, fill(address, names), json=content, headers=headers)


def fill(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, said in names.items():
            value = value.replace(f"{{{name}}}", said)
        return value
    if isinstance(value, list):
        return [_number(fill(each, names)) for each in value]
    if isinstance(value, dict):
        return {key: _number(fill(each, names)) if key == "id" else fill(each, names) for key, each in value.items()}
    return value


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdigit() else value


def text(answer: httpx.Response) -> str:
    """All that somebody reads in an answer, also in a ZIP."""
    if answer.headers.get("content-type") != "application/zip":
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        return "\n".join(f"{name}\n{packed.read(name).decode()}" for name in packed.namelist())


# Sums that name nothing; tests/api/test_regions.py compares the figures.
SAYS_LITTLE = (
    "GET /api/v1/alerts/kpi",
    "GET /api/v1/alerts/advice",
    "GET /api/v1/forecasts/score",
    "GET /api/v1/ledger/drift",
)
READ = [name for name, row in TABLE.items() if name.startswith("GET") and row.sees == "own" and name != STREAM]


@pytest.mark.parametrize("role", ROLES)
async def test_who_is_limited_reads_nothing_of_another_region(caller: Any, towns: Any, role: str) -> None:
    home, other = towns
    limited, whole = caller(role, True), caller(role, False)
    for name in READ:
        row = TABLE[name]
        if ROLES.index(role) < ROLES.index(row.role):  # type: ignore[arg-type]
            continue
        own = await ask(limited, name, row, home)
        assert own.status_code == 200, f"{name}: {own.text}"
        assert not TRACE.search(text(own)), f"{name} tells of another region: {TRACE.findall(text(own))}"
        everything = await ask(whole, name, row, other)
        assert everything.status_code == 200, f"{name}: {everything.text}"
        if name not in SAYS_LITTLE:
            assert TRACE.search(text(everything)), f"{name}: there would have been nothing to see"
        if row.ask and "{" in row.ask:
            assert (await ask(limited, name, row, other)).status_code == 404, name


CHANGES = [name for name, row in TABLE.items() if not name.startswith("GET") and row.sees == "own"]


async def test_who_is_limited_changes_nothing_of_another_region(
    caller: Any, towns: Any, db: psycopg.Connection
) -> None:
    _, other = towns
    limited = caller("admin", True)
    before = _everything_of_the_other(db)
    for name in CHANGES:
        row = TABLE[name]
        refused = await ask(limited, name, row, other)
        assert refused.status_code == row.other, f"{name}: {refused.status_code} {refused.text}"
        assert _everything_of_the_other(db) == before, name


async def test_who_is_limited_changes_what_is_theirs(caller: Any, towns: Any) -> None:
    home, _ = towns
    limited = caller("admin", True)
    for name in CHANGES:
        # There is no ingest that would take readings.
        expected = {503} if name == "POST /api/v1/readings" else TABLE[name].own
        answer = await ask(limited, name, TABLE[name], home)
        assert answer.status_code in expected, f"{name}: {answer.status_code} {answer.text}"


def _everything_of_the_other(db: psycopg.Connection) -> list[Any]:
    """All rows that name the other regency, as text."""
    found = []
    for table in (
        "device",
        "alert",
        "transition",
        "shelf",
        "service_window",
        "quarantine",
        "quarantine_event",
        "delivery",
        "handover",
        "handover_taken",
    ):
        rows = db.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1".encode()).fetchall()
        found.append((table, [row for (row,) in rows if TRACE.search(row)]))
    return found
