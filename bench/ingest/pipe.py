"""(c) The shortest way there is: `mosquitto_sub | psql -c COPY`, lines of text into a table of text.

It neither decodes nor checks, and one COPY of everything is committed when the last line is there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bench.backlog import FILTER
from bench.ingest.competitor import ROOT, Competitor, Running, Task, said, stop
from runtime.mqtt_url import parse_url
from siaga.stack import postgres


def missing() -> str:
    if shutil.which("mosquitto_sub") is None:
        return "mosquitto_sub is not installed: apt-get install mosquitto-clients"
    return "" if _psql() else "psql is not installed: apt-get install postgresql-client"


@contextmanager
def start(task: Task) -> Iterator[Running]:
    broker = parse_url(task.broker)
    psql = [_psql(), "--no-psqlrc", task.database, "-c", "COPY raw (line) FROM STDIN"]
    subscribe = [
        "mosquitto_sub", "-h", broker.host, "-p", str(broker.port), "-u", broker.username or "",
        "-P", broker.password or "", "-i", task.client_id, "--disable-clean-session", "-q", "1", "-t", FILTER,
        "-v", "-C", str(task.packets),
    ]  # fmt: skip
    with task.log.open("ab") as log:
        # psql says `COPY n` once it has committed.
        taking = subprocess.Popen(
            psql, cwd=ROOT, env=postgres.environment(os.environ),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
        giving = subprocess.Popen(subscribe, cwd=ROOT, stdout=taking.stdin, stderr=log)
    assert taking.stdin
    taking.stdin.close()  # its end is the subscriber's end
    try:
        yield Running([giving.pid, taking.pid], said(taking, task.log))
    finally:
        stop(giving)
        stop(taking)


def _psql() -> str:
    """Of the embedded PostgreSQL, or any on the PATH; "" where there is none."""
    try:
        ours = postgres.programs() / "psql"
    except postgres.PostgresError:
        ours = None
    return str(ours) if ours and ours.exists() else shutil.which("psql") or ""


COMPETITOR = Competitor(
    "c",
    "mosquitto_sub | psql COPY",
    start,
    "CREATE TABLE raw (line text)",
    "SELECT count(*) FROM raw",
    counts_packets=True,
    missing=missing,
)
