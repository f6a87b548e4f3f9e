"""(d) Node-RED, as its users build it: an MQTT node, a join of 1,000 rows, an INSERT … unnest from a function node.

Acknowledged on arrival; what it holds is lost when it is killed. Node-RED and its PostgreSQL client come from npm into
the user's cache the first time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from bench.backlog import FILTER
from bench.ingest.competitor import COLUMNS, TABLE, Competitor, Running, Task, child, counted
from runtime.mqtt_url import parse_url

# The last Node-RED for Node 18 to 20; npm has no PostgreSQL node that speaks SCRAM, so a function node uses `pg`.
PACKAGES = ("node-red@4.1.15", "pg@8.23.1")
JOIN_ROWS, JOIN_S = 1_000, 1
INSTALL_S = 600.0
# Identity numbers are given in order: the last one tells how far it is without counting. The end is counted.
STORED = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM reading_id_seq"

ROWS = """
const device = msg.topic.split("/")[3];
const items = Array.isArray(msg.payload) ? msg.payload : [msg.payload];
msg.payload = items.map(item => [device, new Date(item.ts), ...%(told)s.map(name => item[name] ?? null)]);
return msg;
"""
INSERT = """
const rows = msg.payload.flat();
const columns = %(names)s.map((_, at) => rows.map(row => row[at]));
await context.get("pool").query(%(insert)s, columns);
"""
POOL = 'context.set("pool", new (global.get("pg").Pool)({connectionString: %(database)s, max: 10}));'
SETTINGS = """
module.exports = {
  uiPort: 0, httpAdminRoot: false, httpNodeRoot: false, credentialSecret: false,
  functionGlobalContext: {pg: require("pg")}, logging: {console: {level: "warn"}},
};
"""


@cache
def missing() -> str:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not installed: apt-get install npm"
    try:
        _installed()
    except (subprocess.SubprocessError, OSError) as error:
        return f"npm cannot install {' '.join(PACKAGES)}: {error}"
    return ""


@contextmanager
def start(task: Task) -> Iterator[Running]:
    settings = _installed() / "settings.js"  # what it requires is found beside it
    settings.write_text(SETTINGS, encoding="utf-8")
    home = task.log.with_suffix(".home")
    home.mkdir(exist_ok=True)
    (home / "flow.json").write_text(json.dumps(_flow(task)), encoding="utf-8")
    broker = parse_url(task.broker)
    secrets = {"broker": {"user": broker.username, "password": broker.password}}
    (home / "flow_cred.json").write_text(json.dumps(secrets), encoding="utf-8")
    program = _installed() / "node_modules" / "node-red" / "red.js"
    command = ["node", str(program), "--userDir", str(home), "--settings", str(settings), "flow.json"]
    with psycopg.connect(task.database, autocommit=True) as conn, child(task, command) as process:
        yield Running([process.pid], counted(process, task, STORED, conn))


def _installed() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "siaga", "node-red")
    wanted = " ".join(PACKAGES)
    mark = folder / "installed"
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", *PACKAGES]
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_S)
        mark.write_text(wanted)
    return folder


def _flow(task: Task) -> list[dict[str, Any]]:
    broker = parse_url(task.broker)
    names = list(COLUMNS)
    unnest = ", ".join(f"${at}::{kind}[]" for at, kind in enumerate(COLUMNS.values(), 1))
    words = {
        "told": json.dumps(names[2:]),
        "names": json.dumps(names),
        "insert": json.dumps(f"INSERT INTO reading ({', '.join(names)}) SELECT * FROM unnest({unnest})"),
        "database": json.dumps(task.database),
    }
    place = {"z": "flow", "x": 0, "y": 0}
    return [
        {"id": "flow", "type": "tab", "label": "readings"},
        {
            "id": "broker", "type": "mqtt-broker", "broker": broker.host, "port": str(broker.port),
            "clientid": task.client_id, "autoConnect": True, "protocolVersion": "4", "keepalive": "60",
            "cleansession": False, "autoUnsubscribe": False,
        },
        {
            **place, "id": "in", "type": "mqtt in", "topic": FILTER, "qos": "1", "datatype": "json",
            "broker": "broker", "inputs": 0, "wires": [["rows"]],
        },
        {**place, "id": "rows", "type": "function", "func": ROWS % words, "outputs": 1, "wires": [["join"]]},
        {
            **place, "id": "join", "type": "join", "mode": "custom", "build": "array", "property": "payload",
            "propertyType": "msg", "count": str(max(1, JOIN_ROWS // task.each)), "timeout": str(JOIN_S),
            "wires": [["insert"]],
        },
        {
            **place, "id": "insert", "type": "function", "func": INSERT % words, "initialize": POOL % words,
            "outputs": 0, "wires": [[]],
        },
    ]  # fmt: skip


COMPETITOR = Competitor("d", "Node-RED flow", start, TABLE, "SELECT count(*) FROM reading", missing=missing)
