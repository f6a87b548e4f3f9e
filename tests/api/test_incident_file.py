"""The file of an alert: a flood as ingest has it, in one ZIP from which it can be told once more."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import math
import os
import re
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb
from typer.testing import CliRunner

from alerts import incident_file as file
from alerts.rule import shipped
from api.districts import districts
from devices.device import Device
from siaga.alerts_file import check
from siaga.cli import app as command
from storage.connect import connect_async
from storage.incident_file import Ground, write
from storage.incident_file_case import Limits
from tests.storage.world import World, packet

# Far enough in the past for everything to be over, whatever the machine's clock says.
T0 = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
STEP = timedelta(minutes=10)
BOUNDS = {"siaga_3_m": 2.0, "siaga_2_m": 2.8, "siaga_1_m": 3.6, "river": "Silau"}
GAUGE = Device(
    "wl-kisaran-barat",
    "water_level",
    "Silau Kisaran Barat",
    "12.09",
    "12.09.19",
    2.98,
    99.6,
    BOUNDS | {"upstream": "wl-hulu"},
)
UPSTREAM = Device("wl-hulu", "water_level", "Silau Buntu Pane", "12.09", "12.09.15", 2.9, 99.4, BOUNDS)
OTHER = Device("wl-lain", "water_level", "Silau Lain", "12.09", "12.09.19", 2.99, 99.7, BOUNDS)
ALL = {
    file.READINGS, file.NEIGHBOURS, file.RULE, file.TRANSITIONS, file.NOTICES, file.FORECASTS, file.GEOJSON, file.SVG,
    file.SUMMARY, file.PAGE, file.README_ID, file.README_EN, file.SUMS,
}  # fmt: skip


def level(hour: float) -> float:
    """A flood that reaches 3.8 m ten hours after T0."""
    return round(1.2 + 2.6 * math.exp(-(((hour - 10) / 3) ** 2)), 3)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    made = await World.make(database_url, GAUGE, UPSTREAM, OTHER)
    yield made
    await made.ground.close()


@pytest.fixture
async def flood(world: World, db: psycopg.Connection, town: Any) -> int:
    """The number of the alert. Every tenth reading comes twice, one is a spike, one comes late."""
    for number in range(144):
        at = T0 + number * STEP
        value = 9.0 if number == 30 else level(number / 6)
        items = [packet(GAUGE.id, {"ts": at, "level_m": value, "rain_mm": 0.4}, at=at)]
        if number % 10 == 0:
            items.append(packet(GAUGE.id, {"ts": at, "level_m": value, "rain_mm": 0.4}, at=at))
        if number == 50:
            late = at - timedelta(minutes=25)
            items.append(packet(GAUGE.id, {"ts": late, "level_m": 2.5}, at=at))
        await world.send(items, at + timedelta(seconds=1))
    town.rollup("water_level", "5m", UPSTREAM.id, T0 + 40 * STEP, 1, level_m_avg=2.4, level_m_min=2.4, level_m_max=2.4)
    row = db.execute("SELECT id FROM alert WHERE rule = 'siaga'").fetchone()
    assert row
    return int(row[0])


async def fetched(viewer: httpx.AsyncClient, alert: int) -> tuple[httpx.Response, ZipFile]:
    answer = await viewer.get(f"/api/v1/alerts/{alert}/file")
    assert answer.status_code == 200, answer.text
    return answer, ZipFile(io.BytesIO(answer.content))


def rows(bundle: ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(bundle.read(name).decode(), newline="")))


async def test_everything_is_in_it_and_its_sums_are_right(
    viewer: httpx.AsyncClient, flood: int, tmp_path: Path
) -> None:
    answer, bundle = await fetched(viewer, flood)
    assert answer.headers["content-type"] == "application/zip"
    assert "content-encoding" not in answer.headers
    assert re.search(
        rf'filename="siaga-\d{{4}}-\d\d-\d\d-wl-kisaran-barat-{flood}.zip"', answer.headers["content-disposition"]
    )
    assert set(bundle.namelist()) == ALL
    sums = dict(reversed(line.split("  ")) for line in bundle.read(file.SUMS).decode().splitlines())
    assert sums == {name: hashlib.sha256(bundle.read(name)).hexdigest() for name in ALL - {file.SUMS}}
    summary = json.loads(bundle.read(file.SUMMARY))
    chain = "0" * 64
    for name, digest in summary["sha256"].items():
        chain = hashlib.sha256(f"{chain} {digest} {name}\n".encode()).hexdigest()
    assert summary["chain"] == chain
    assert chain in bundle.read(file.PAGE).decode()
    assert summary["alert"]["peak_severity"] == 3
    assert (summary["cut"], summary["members"], summary["neighbours"]) == ([], [], ["wl-hulu", "wl-lain"])


async def test_readings_are_told_with_their_quality_in_words(viewer: httpx.AsyncClient, flood: int) -> None:
    _, bundle = await fetched(viewer, flood)
    found = rows(bundle, file.READINGS)
    raised = next(each for each in rows(bundle, file.TRANSITIONS) if each["what"] == "raised")
    cleared = next(each for each in rows(bundle, file.TRANSITIONS) if each["what"] == "cleared")
    since = datetime.fromisoformat(raised["event_at"]) - timedelta(hours=6)
    until = datetime.fromisoformat(cleared["event_at"]) + timedelta(hours=2)
    times = [datetime.fromisoformat(each["ts"]) for each in found]
    assert times == sorted(times)
    assert times[0] >= since > times[0] - STEP
    assert times[-1] < until <= times[-1] + STEP
    (spike,) = [each for each in found if each["level_m"] == "9.0"]
    assert (spike["qc"], spike["qc_word"], spike["qc_reason_words"]) == ("3", "suspect", "spike rate")
    (late,) = [each for each in found if each["late"] == "true"]
    assert (late["qc_reason_words"], late["level_m"]) == ("late", "2.5")
    assert {each["device_id"] for each in found} == {GAUGE.id}
    (near,) = rows(bundle, file.NEIGHBOURS)
    assert (near["device_id"], near["how"], near["level_m_max"]) == ("wl-hulu", "upstream", "2.4")


async def test_the_alert_is_re_created_from_its_own_readings(
    viewer: httpx.AsyncClient, flood: int, tmp_path: Path
) -> None:
    answer, bundle = await fetched(viewer, flood)
    path = tmp_path / "file.zip"
    path.write_bytes(answer.content)
    found = check(path)
    assert found.good
    (compared,) = found.compared
    assert [step.what for step in compared.told] == ["raised", "worsened", "worsened", "eased", "eased", "cleared"]
    assert compared.recreated == compared.told
    result = CliRunner().invoke(command, ["alerts", "check", str(path)])
    assert (result.exit_code, result.output) == (
        0, "13 files, all sums right\n1 of 1 alerts re-created from their readings\n",
    )  # fmt: skip
    # The level that raised it is lowered by a metre.
    raised = rows(bundle, file.TRANSITIONS)[0]["event_at"]
    text = bundle.read(file.READINGS).decode()
    (row,) = [line for line in text.split("\r\n") if line.startswith(f"{GAUGE.id},water_level,{raised},")]
    changed = text.replace(row, row.replace(",2.", ",1."))
    assert changed != text
    with ZipFile(path, "w") as forged:
        for name in bundle.namelist():
            forged.writestr(name, changed if name == file.READINGS else bundle.read(name))
    result = CliRunner().invoke(command, ["alerts", "check", str(path)])
    assert result.exit_code == 1
    assert "readings.csv: is not as it was written" in result.output
    assert "summary.json: the chain" in result.output
    assert "0 of 1 alerts re-created" in result.output


async def test_the_page_reads_without_anything_else(viewer: httpx.AsyncClient, flood: int) -> None:
    _, bundle = await fetched(viewer, flood)
    page = bundle.read(file.PAGE).decode()
    assert "Silau Kisaran Barat naik ke Siaga 1 – sudah pulih" in page
    assert "Siaga 1 (Awas)" in page
    assert " WIB" in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="', page)
    assert set(re.findall(r"https?://[^\"' <]+", page)) <= {"http://www.w3.org/2000/svg"}
    shapes = json.loads(bundle.read(file.GEOJSON))
    roles = {each["id"]: each["properties"]["role"] for each in shapes["features"]}
    assert roles == {"12.09.19": "district", GAUGE.id: "alert", "wl-hulu": "upstream", "wl-lain": "same river"}
    assert bundle.read(file.SVG).startswith(b"<svg ")


async def test_the_rule_that_was_in_force_and_the_one_that_took_over(
    viewer: httpx.AsyncClient, flood: int, db: psycopg.Connection
) -> None:
    own = next(rule for rule in shipped() if rule.id == "siaga").model_dump(mode="json", exclude_none=True)
    for hours, scope, hysteresis in (
        (-100, {}, 0.2),
        (9, {"device": GAUGE.id}, 0.3),
        (9.1, {"device": "wl-lain"}, 0.4),
    ):
        definition = own | {"scope": scope, "hysteresis": hysteresis}
        name = "".join(f"{by}={value}" for by, value in scope.items())
        db.execute(
            "INSERT INTO rule_version (rule, kind, scope, definition, at, who, why)"
            " VALUES ('siaga', 'water_level', %s, %s, %s, 'sari', 'surat 12')",
            (name, Jsonb(definition), T0 + timedelta(hours=hours)),
        )
    _, bundle = await fetched(viewer, flood)
    found = json.loads(bundle.read(file.RULE))
    told = [(each["origin"], each["changed_by"], each["rule"]["hysteresis"]) for each in found["in_force"]]
    assert told == [("stored", "sari", 0.2), ("stored", "sari", 0.3)]
    versions = [each["version"] for each in found["in_force"]]
    assert versions == sorted(set(versions))
    assert found["devices"][0]["attributes"]["siaga_1_m"] == 3.6


async def test_who_did_what_who_was_told_and_what_was_foretold(
    viewer: httpx.AsyncClient, operator: httpx.AsyncClient, flood: int, db: psycopg.Connection
) -> None:
    body = {"comment": "tanggul diperiksa"}
    acked = await operator.post(f"/api/v1/alerts/{flood}/ack", json=body, headers={"If-Match": "*"})
    assert acked.status_code == 200, acked.text
    at = T0 + timedelta(hours=7)
    db.execute(
        "WITH d AS (INSERT INTO delivery (made_at, who, channel, language, route, group_key, step, what, severity,"
        " title, body, sent_at) VALUES (%(at)s, 'Sari', 'telegram', 'id', 'all', 'x', 0, 'raised', 3, 'Silau naik', '',"
        " %(at)s) RETURNING id) INSERT INTO delivery_alert (alert_id, delivery_id) SELECT %(alert)s, id FROM d",
        {"at": at, "alert": flood},
    )
    db.execute(
        "INSERT INTO forecast (device_id, as_of, siaga, made_at, bound_m, level_m, slope_m_h, points, basis, stage,"
        " expected_at, earliest, latest, until, outcome, reached_at, error) VALUES (%(id)s, %(at)s, 1, %(at)s, 3.6,"
        " 2.4, 0.6, 6, 'own', 'warning', %(then)s, %(at)s, %(then)s, %(then)s, 'hit', %(then)s, 0)",
        {"id": GAUGE.id, "at": at, "then": at + timedelta(hours=2)},
    )
    _, bundle = await fetched(viewer, flood)
    assert (rows(bundle, file.TRANSITIONS)[-1]["what"], rows(bundle, file.TRANSITIONS)[-1]["who"]) == (
        "acked",
        "a operator",
    )
    (notice,) = rows(bundle, file.NOTICES)
    assert (notice["who"], notice["channel"], notice["state"], notice["title"]) == (
        "Sari",
        "telegram",
        "sent",
        "Silau naik",
    )
    (forecast,) = rows(bundle, file.FORECASTS)
    assert (forecast["siaga"], forecast["stage"], forecast["outcome"]) == ("1", "warning", "hit")
    page = bundle.read(file.PAGE).decode()
    for words in ("diakui", "tanggul diperiksa", "Sari", "terkirim", "tercapai, ", "Penanggung jawab"):
        assert words in page


async def test_a_file_that_is_cut_says_so_everywhere(
    viewer: httpx.AsyncClient, flood: int, app: Any, tmp_path: Path
) -> None:
    app.state.context = app.state.context._replace(
        settings=app.state.context.settings.model_copy(update={"incident_file_readings_max": 20})
    )
    answer, bundle = await fetched(viewer, flood)
    lines = bundle.read(file.READINGS).decode().splitlines()
    assert len(lines) == 22
    assert lines[-1].startswith("# CUT HERE")
    assert "SIAGA_INCIDENT_FILE_READINGS_MAX" in lines[-1]
    assert "SIAGA_INCIDENT_FILE_READINGS_MAX" in bundle.read(file.PAGE).decode()
    assert json.loads(bundle.read(file.SUMMARY))["cut"]
    (tmp_path / "cut.zip").write_bytes(answer.content)
    assert check(tmp_path / "cut.zip").cut


async def test_an_alert_that_is_not_there(viewer: httpx.AsyncClient) -> None:
    assert (await viewer.get("/api/v1/alerts/4711/file")).status_code == 404


async def test_what_is_about_no_device_has_a_file_too(viewer: httpx.AsyncClient, town: Any) -> None:
    number = town.alert("$siaga", rule="broker_full", kind="installation", severity=2, metric=None)
    town.transition(number, "raised", 2)
    answer, bundle = await fetched(viewer, number)
    assert f"-siaga-{number}.zip" in answer.headers["content-disposition"]
    assert rows(bundle, file.READINGS) == []
    assert len(rows(bundle, file.TRANSITIONS)) == 1


async def test_an_incident_of_hundreds_takes_no_more_memory_than_a_page(
    database_url: str, db: psycopg.Connection, town: Any
) -> None:
    """A panel of 300 lamps, 32,100 readings: 50 MB as rows."""
    begin = T0 + timedelta(hours=8)
    for hours in (0, 12):  # makes the parts
        town.reading("nobody", "streetlight", T0 + timedelta(hours=hours))
    db.execute("DELETE FROM reading_streetlight")
    db.execute(
        "INSERT INTO device (id, kind, name, attributes) SELECT 'pju-' || n, 'streetlight', 'Lampu ' || n, %s"
        " FROM generate_series(1000, 1309) AS n",
        (Jsonb({"panel": "PNL-07"}),),
    )
    db.execute(
        "INSERT INTO reading_streetlight (device_id, ts, received_at, qc, qc_reason, voltage_v, power_w)"
        " SELECT id, %(t0)s::timestamptz + n * interval '5 min', %(t0)s::timestamptz + n * interval '5 min', 1, 0,"
        " CASE WHEN n < 96 THEN 220 ELSE 0 END, 40 FROM device, generate_series(0, 130) AS n WHERE id < 'pju-1300'",
        {"t0": T0},
    )
    parent = town.alert(
        "$panel/PNL-07", rule="outage", severity=2, metric=None, raised_at=begin, detected_at=begin,
        cleared_at=begin + timedelta(hours=1), active=False,
    )  # fmt: skip
    town.transition(parent, "raised", 2, event_at=begin, detected_at=begin)
    db.execute(
        "WITH a AS (INSERT INTO alert (rule, device_id, kind, severity, peak_severity, active, historical, raised_at,"
        " detected_at) SELECT 'unpowered', id, 'streetlight', 0, 0, true, false, %(at)s, %(at)s FROM device"
        " WHERE id < 'pju-1300' RETURNING id) INSERT INTO transition (alert_id, what, event_at, detected_at, parent_id)"
        " SELECT id, 'suppressed', %(at)s, %(at)s, %(parent)s FROM a",
        {"at": begin, "parent": parent},
    )
    ground = Ground("Kabupaten Asahan", ZoneInfo("Asia/Jakarta"), districts())
    with SpooledTemporaryFile(max_size=1 << 20) as out:
        async with await connect_async(database_url, "test") as conn:
            tracemalloc.start()
            made = await write(conn, parent, out, ground, Limits(100_000, 1_000, 5), datetime.now(UTC))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        bundle = ZipFile(out)
        found, summary = json.loads(bundle.read(file.RULE)), json.loads(bundle.read(file.SUMMARY))
        page = bundle.read(file.PAGE).decode()
    assert peak < 8_000_000
    assert made is not None
    assert (made.name.split("-", 4)[4], made.members) == (f"panel-PNL-07-{parent}.zip", 300)
    assert made.readings == 32_100
    assert [(each["rule"]["id"], len(each["device_ids"])) for each in found["of_members"]] == [("unpowered", 300)]
    assert len(summary["neighbours"]) == 5
    assert "Perangkat yang terdampak (300)" in page
    assert "dan 100 perangkat lain" in page


async def test_the_command_writes_the_same_file(
    database_url: str, flood: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIAGA_DATABASE_URL", database_url)
    path = tmp_path / "own.zip"

    async def run(*words: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, command, ["alerts", *words])
        return result.exit_code, result.output

    code, told = await run("file", str(flood), "-o", str(path))
    assert code == 0, told
    assert check(path).good
    code, told = await run("file", str(flood), "-o", str(path))
    assert (code, "--force" in told) == (1, True)
    code, told = await run("file", "4711", "-o", str(tmp_path / "none.zip"))
    assert (code, told) == (1, "siaga: there is no alert 4711\n")
    assert [name for name in os.listdir(tmp_path) if name != "own.zip"] == []  # noqa: PTH208 (nothing waits)
