"""deploy/grafana: each metric is one of ours, each query runs as the role that Grafana has, and finds what is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import yaml
from prometheus_client import CollectorRegistry
from psycopg.conninfo import make_conninfo

from api.metrics import REGISTRY as API
from ingest.metrics import REGISTRY as INGEST
from tests.deploy.files import DEPLOY, documents, read, said, tool
from tests.servers import PASSWORD
from worker.metrics import REGISTRY as WORKER

FOLDER = DEPLOY / "grafana"
BOARDS = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("dashboards/*.json"))}
# Prometheus's own, and the label that our alerts come with.
NOT_OURS = {"up", "ALERTS"}
WORD = re.compile(r"\b(?:siaga|process)_[a-z0-9_]+\b|\bup\b|\bALERTS\b")
PARTS = ("_bucket", "_sum", "_count")
DISTRICT = "'12.09.19'"


class Panel(NamedTuple):
    name: str
    type: str
    target: dict[str, Any]


def panels(key: str) -> list[Panel]:
    """Each query of the kind."""
    return [
        Panel(f"{board}: {panel['title']}", panel["type"], target)
        for board, content in BOARDS.items()
        for panel in content["panels"]
        for target in panel.get("targets", ())
        if key in target
    ]


def test_each_metric_is_one_of_ours() -> None:
    there = NOT_OURS | {name for registry in (API, INGEST, WORKER) for name in names(registry)}
    for panel in panels("expr"):
        used = set(WORD.findall(panel.target["expr"]))
        assert used, panel.name
        assert used <= there, f"{panel.name}: {used - there}"


def names(registry: CollectorRegistry) -> Iterator[str]:
    for family in registry.collect():
        yield f"{family.name}_total" if family.type == "counter" else family.name
        if family.type == "histogram":
            yield from (family.name + part for part in PARTS)


def test_prometheus_reads_each_query(tmp_path: Path) -> None:
    queries = [panel.target["expr"].replace("$__rate_interval", "1m") for panel in panels("expr")]
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(queries)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in said(tool("promtool", "apt-get install prometheus"), "check", "rules", file)


@pytest.fixture(scope="module")
def reader(postgres: Any, template: str) -> Iterator[psycopg.Connection[Any]]:
    """The role of deploy/postgres/reader.sql, on a migrated database with a little in it."""
    url = postgres.create("grafana", template)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(read("postgres/reader.sql").encode())
        owner.execute(read("postgres/reader.sql").encode())
        owner.execute(f"ALTER ROLE siaga_grafana PASSWORD '{PASSWORD}'".encode())
        owner.execute(SOME.encode())
    with psycopg.connect(make_conninfo(url, user="siaga_grafana", password=PASSWORD), autocommit=True) as conn:
        yield conn
    postgres.drop("grafana")


# Of each kind a device, and of that a bucket of every rollup.
SOME = """
INSERT INTO device (id, kind, region, district, attributes) VALUES
    ('wl', 'water_level', '12.09', '12.09.19', '{}'), ('sl', 'streetlight', '12.09', '12.09.19', '{"panel": "P1"}'),
    ('tr', 'traffic', '12.09', '12.09.19', '{"site": "Simpang"}');
INSERT INTO latest (device_id, kind, ts, received_at, qc, qc_reason, "values")
VALUES ('wl', 'water_level', now(), now(), 1, 0, '{}');
INSERT INTO alert (rule, device_id, kind, severity, peak_severity, active, historical, raised_at, detected_at, value)
VALUES ('siaga', 'wl', 'water_level', 3, 3, true, false, now(), now(), 3.1);
INSERT INTO ledger_sum (hour, kind, district, received, stored, duplicate, conflict, quarantined, missing, expected,
                        met, summed_at)
VALUES (date_trunc('hour', now()), 'water_level', '12.09.19', 10, 8, 1, 0, 1, 2, 12, 8, now());
"""
ROLLUPS = {
    "water_level": "level_m_max, rain_mm_sum",
    "streetlight": "power_w_avg, energy_wh_delta, voltage_v_min, voltage_v_max",
    "traffic": "count_sum, speed_kmh_avg, speed_kmh_w, count_motorcycle_sum, count_car_sum, count_heavy_sum, "
    "occupancy_pct_max",
}
for _id, (_kind, _columns) in zip(("wl", "sl", "tr"), ROLLUPS.items(), strict=True):
    _numbers = ", ".join("7" for _ in _columns.split(","))
    for _table in (f"rollup_{_kind}_{_step}" for _step in ("5m", "1h", "1d")):
        SOME += f"""
CREATE TABLE {_table}_rest PARTITION OF {_table} DEFAULT;
INSERT INTO {_table} (device_id, bucket, n, n_good, {_columns})
VALUES ('{_id}', date_trunc('day', now()), 1, 1, {_numbers});
"""


def filled(sql: str) -> str:
    """As Grafana sends it: its macro and the variable of the page put in."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN now() - interval '2 days' AND now() + interval '1 hour'", sql)
    sql = sql.replace("$district", DISTRICT)
    assert "$" not in sql
    return sql


@pytest.mark.parametrize("panel", panels("rawSql"), ids=lambda panel: panel.name)
def test_each_query_of_the_database_gives_what_its_panel_draws(reader: psycopg.Connection[Any], panel: Panel) -> None:
    cursor = reader.execute(filled(panel.target["rawSql"]).encode())
    rows = cursor.fetchall()
    assert rows
    assert cursor.description is not None
    columns = [column.name for column in cursor.description]
    if panel.target["format"] == "time_series":
        assert columns[0] == "time"
        for row in rows:
            assert isinstance(row[0], datetime)
            assert all(isinstance(value, int | float | Decimal) for value in row[2 if "metric" in columns else 1 :])


def test_the_variables_of_a_page_can_be_asked_for(reader: psycopg.Connection[Any]) -> None:
    for board in BOARDS.values():
        for variable in board["templating"]["list"]:
            assert reader.execute(variable["query"].encode()).fetchall() == [("12.09.19",)]


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM api_key", "SELECT * FROM reading_traffic", "SELECT * FROM audit", "DELETE FROM alert",
     "UPDATE device SET name = 'x'", "CREATE TABLE x (y int)", "SELECT pg_read_file('/etc/passwd')"],
)  # fmt: skip
def test_the_role_can_do_nothing_else(reader: psycopg.Connection[Any], statement: str) -> None:
    """Also with writing switched on again, which every role may for itself."""
    with reader.transaction(force_rollback=True):
        reader.execute("SET LOCAL default_transaction_read_only = off")
        reader.execute("SET TRANSACTION READ WRITE")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), reader.transaction():
            reader.execute(statement.encode())


def test_provisioning_names_what_is_there() -> None:
    (sources,) = documents(read("grafana/provisioning/datasources/siaga.yaml"))
    known = {each["uid"]: each["type"] for each in sources["datasources"]}
    (providers,) = documents(read("grafana/provisioning/dashboards/siaga.yaml"))
    assert [each["options"]["path"] for each in providers["providers"]] == ["/etc/grafana/siaga"]
    for board in BOARDS.values():
        for panel in board["panels"]:
            if panel["type"] != "row":
                source = panel["datasource"]
                assert known[source["uid"]] == source["type"], panel["title"]


@pytest.mark.parametrize("name", BOARDS)
def test_a_page_is_whole(name: str) -> None:
    board = BOARDS[name]
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
