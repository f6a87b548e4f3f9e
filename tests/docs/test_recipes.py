"""Every recipe of docs/recipes.md is run as it stands there, against a living installation with a day of history."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.stack import ROOT, Stack, until

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).resolve().parents[2] / "docs/recipes.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
RELATIVE = re.compile(r'RelativePath = "([^"]+)"')
QUERY = re.compile(r"Query = \[([^\]]*)\]")
PAIR = re.compile(r'(\w+) = "([^"]*)"')
TIME_FILTER = re.compile(r"\$__timeFilter\((\w+)\)")
ROLE, PASSWORD = "siaga_grafana", "only-in-tests"


def blocks(language: str) -> list[str]:
    found = [text for name, text in BLOCK.findall(PAGE) if name == language]
    assert found, language
    return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("recipes") / "data", "--devices", "60", "--history", "6h")
    try:
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {stack.env['SIAGA_API_KEY']}"}
    with httpx.Client(base_url=stack.env["SIAGA_API_URL"], headers=headers, timeout=30) as client:
        for kind in ("water_level", "streetlight", "traffic"):
            hours = f"/api/v1/metrics/{kind}?from=-6h&bucket=1h&group=all"
            until(lambda hours=hours: len(client.get(hours).json()["items"]) > 3, f"history is rolled up: {kind}")  # type: ignore[misc]
        yield client


@pytest.fixture(scope="module")
def gauge(api: httpx.Client) -> str:
    """A device that there is, for the one of the page that is to be changed."""
    devices = api.get("/api/v1/devices", params={"kind": "water_level"}).json()["items"]
    return str(devices[0]["id"])


def environment(stack: Stack) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **stack.env}


def ran(stack: Stack, folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(stack), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("number", range(len(blocks("sh"))))
def test_curl(stack: Stack, gauge: str, tmp_path: Path, number: int) -> None:
    script = blocks("sh")[number]
    said = ran(stack, tmp_path, "bash", "-euo", "pipefail", "-c", script.replace("wl-0001", gauge))
    if "-o " in script:
        (file,) = tmp_path.iterdir()
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        assert len(lines) > 3
        assert lines[0].replace(";", ",") == "device_id,bucket,partial,n,good,level_m_avg,level_m_max"
    elif "/readings" in script:
        assert '"stored":1' in said
    elif "/stream" in script:
        assert "event: beat" in said
    else:
        assert said.startswith('{"items":[')


def test_python(stack: Stack, tmp_path: Path) -> None:
    (script,) = blocks("python")
    with stack.client() as client:
        until(lambda: any(client.latest(kind="water_level")), "a gauge has reported")
    said = ran(stack, tmp_path, sys.executable, "-W", "error", "-c", script).splitlines()
    assert said[-1] == "60 devices"  # by pages of ten
    assert any("siaga" in line for line in said[:-1])


def test_power_query_asks_for_what_there_is(api: httpx.Client) -> None:
    table, listed = blocks("powerquery")
    rows = _asked(api, table).text.splitlines()
    assert len(rows) > 1
    for column in re.findall(r'\{"(\w+)", type', table):
        assert column in rows[0].split(",")
    page = _asked(api, listed).json()
    (columns,) = re.findall(r"Table\.FromRecords\(Items, \{([^}]+)\}", listed)
    assert set(re.findall(r'"(\w+)"', columns)) <= page["items"][0].keys()
    assert "next_cursor" in page


def _asked(api: httpx.Client, script: str) -> httpx.Response:
    path, query = RELATIVE.search(script), QUERY.search(script)
    assert path
    assert query
    answer = api.get(f"/{path[1]}", params=dict(PAIR.findall(query[1])))
    assert answer.status_code == 200, answer.text
    return answer


def test_grafana_over_http(api: httpx.Client) -> None:
    (url,) = [text.strip() for text in blocks("") if "__from" in text]
    now = datetime.now(UTC)
    for name, at in (("from", now - timedelta(hours=6)), ("to", now)):
        # As Grafana writes it.
        url = url.replace(f"${{__{name}:date:iso}}", at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    assert "$" not in url
    (item, *_) = api.get(url).json()["items"]
    for selector in re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE):
        value: Any = item
        for step in selector.split("."):
            value = value[step]


@pytest.fixture(scope="module")
def reader(stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    """The role of the page, made as the page says; twice, as after a new kind."""
    make = (ROOT / "deploy" / "postgres" / "reader.sql").read_bytes()
    with stack.connect() as owner:
        owner.execute(make)
        owner.execute(make)
        owner.execute(f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'".encode())
    url = make_conninfo(stack.content["database_url"], user=ROLE, password=PASSWORD)
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


@pytest.mark.parametrize("number", range(len(blocks("sql"))))
def test_grafana_on_the_database(stack: Stack, reader: psycopg.Connection[Any], number: int) -> None:
    query = TIME_FILTER.sub(r"\1 BETWEEN now() - interval '1 day' AND now()", blocks("sql")[number])

    def rows() -> list[Any]:
        return reader.execute(query.encode()).fetchall()

    if "FROM alert" in query:
        with stack.connect() as owner:
            count = owner.execute("SELECT count(*) FROM alert WHERE active AND NOT historical").fetchone()
        assert count is not None
        assert abs(len(rows()) - count[0]) <= 5  # the city lives
    else:
        until(lambda: [row for row in rows() if row[-1] is not None], f"there is something to draw: {query}")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM api_key", "SELECT * FROM app_user", "SELECT * FROM quarantine", "SELECT * FROM reading_traffic",
        "DELETE FROM alert", "UPDATE device SET name = 'x'", "CREATE TABLE x (y int)",
    ],
)  # fmt: skip
def test_the_role_can_do_nothing_else(reader: psycopg.Connection[Any], statement: str) -> None:
    """Also with writing switched on again, which every role may for itself."""
    reader.execute("SET default_transaction_read_only = off")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(statement.encode())
