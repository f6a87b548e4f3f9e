"""The same lists in other forms: chosen by place, with fewer fields, as CSV for programs and people, as GeoJSON."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from api import csv_text
from storage import flavour
from storage.kind_tables import STEPS
from tests.api.conftest import KEYS

NOW = datetime.now(UTC).replace(microsecond=0)
T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = "from=2026-11-24T00:00:00Z&to=2026-11-25T00:00:00Z"


@pytest.fixture(autouse=True)
def settled(town: Any) -> None:
    """Two lamps of different panels a kilometre apart, and a gauge upstream that is nowhere."""
    town.device("lamp-1", lat=2.98, lon=99.60, attributes={"panel": "P-01"}, name="=cmd|' /C calc'!A0")
    town.device("lamp-2", lat=2.98, lon=99.609, attributes={"panel": "P-02"}, district="12.09.20")
    town.gauge("wl-1", lat=None, lon=None, attributes={"river": "Silau", "siaga_3_m": 2.0})
    town.latest("lamp-1", "streetlight", NOW, power_w=41.25)
    town.latest("lamp-2", "streetlight", NOW - 90 * MINUTE, power_w=40.0)
    town.latest("wl-1", "water_level", NOW, level_m=2.5)
    town.alert("lamp-2", severity=2)
    town.alert("wl-1", "siaga", severity=1, kind="water_level", metric="level_m")


async def ids(viewer: httpx.AsyncClient, path: str) -> list[str]:
    answer = await viewer.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return [item.get("device_id") or item["id"] for item in answer.json()["items"]]


LAMPS = ["lamp-1", "lamp-2"]


@pytest.mark.parametrize("what", ["devices", "latest", "alerts"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("panel=P-02", ["lamp-2"]),
        ("river=Silau", ["wl-1"]),
        ("river=Silau&panel=P-01", []),
        ("district=12.09.20", ["lamp-2"]),
        ("bbox=99.605,2.9,99.7,3.0", ["lamp-2"]),
        ("bbox=99.5,2.9,99.7,3.0", LAMPS),
        ("near=2.98,99.6,990", ["lamp-1"]),
        ("near=2.98,99.6,1010", LAMPS),
        ("near=2.98,99.6,1010&panel=P-02&kind=streetlight", ["lamp-2"]),
    ],
)
async def test_chosen_by_place(viewer: httpx.AsyncClient, town: Any, what: str, query: str, found: list[str]) -> None:
    town.alert("lamp-1", severity=1)
    assert sorted(await ids(viewer, f"{what}?{query}")) == found


async def test_an_incident_is_where_those_under_it_are(viewer: httpx.AsyncClient, town: Any) -> None:
    parent = town.alert("$panel/P-02", "panel_out", severity=2)
    town.alert("lamp-2", "lamp_dark", parent_id=parent)
    for what in ("alerts", "incidents"):
        assert "$panel/P-02" in await ids(viewer, f"{what}?near=2.98,99.609,10&kind=streetlight&min_severity=2")
        assert "$panel/P-02" not in await ids(viewer, f"{what}?near=2.98,99.6,10")
    assert await ids(viewer, "incidents?min_severity=3") == []


async def test_chosen_by_severity_and_time(viewer: httpx.AsyncClient) -> None:
    assert await ids(viewer, "devices?min_severity=1") == ["lamp-2", "wl-1"]
    assert await ids(viewer, "devices?min_severity=2") == ["lamp-2"]
    assert await ids(viewer, "latest?since=-1h") == ["lamp-1", "wl-1"]


async def test_at_a_time_by_place(viewer: httpx.AsyncClient, town: Any) -> None:
    for device in LAMPS:
        town.reading(device, "streetlight", T0, power_w=1)
    at = "at=2026-11-24T12:10:00Z"
    assert await ids(viewer, f"latest?{at}") == LAMPS
    assert await ids(viewer, f"latest?{at}&near=2.98,99.609,10") == ["lamp-2"]
    assert await ids(viewer, f"latest?{at}&since=2026-11-24T12:00:00Z") == LAMPS
    assert await ids(viewer, f"latest?{at}&since=2026-11-24T12:00:01Z") == []


@pytest.mark.parametrize(
    ("path", "field", "says"),
    [
        ("devices?bbox=1,2,3", "bbox", "west,south,east,north"),
        ("devices?bbox=1,2,nan,4", "bbox", "west,south,east,north"),
        ("devices?bbox=9,2,8,3", "bbox", "west"),
        ("latest?bbox=0,0,181,1", "bbox", "180"),
        ("alerts?near=1,2", "near", "radius_m"),
        ("alerts?near=91,2,5", "near", "90"),
        ("incidents?near=1,2,0", "near", "20037508"),
        ("devices?fields=id,colour", "fields", "alert"),
        ("latest?fields=power_w", "fields", "values"),
        ("readings?device=wl-1&fields=power_w", "fields", "level_m"),
        ("alerts?fields=,", "fields", "known are id"),
        ("readings?device=wl-1&kind=water_level", "device", "one already"),
        ("latest?format=csv&dialect=excel", "dialect", "excel-id"),
    ],
)
async def test_refusals_name_field_and_limit(viewer: httpx.AsyncClient, path: str, field: str, says: str) -> None:
    answer = await viewer.get(f"/api/v1/{path}")
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert says in error["message"]


async def test_fewer_fields(viewer: httpx.AsyncClient, town: Any) -> None:
    town.reading("wl-1", "water_level", T0, level_m=2.5, seq=7)
    for path, item in {
        "devices?kind=water_level&fields=kind,id": {"id": "wl-1", "kind": "water_level"},
        "latest?device=wl-1&fields=siaga,device_id": {"device_id": "wl-1", "siaga": 3},
        "alerts?device=wl-1&fields=rule": {"rule": "siaga"},
        f"readings?device=wl-1&{DAY}&fields=siaga,level_m": {"level_m": 2.5, "siaga": 3},
        f"readings?device=wl-1&{DAY}&fields=device_id": {"device_id": "wl-1"},
    }.items():
        assert (await viewer.get(f"/api/v1/{path}")).json()["items"] == [item]


def table(answer: httpx.Response, delimiter: str = ",") -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


async def test_lists_as_files_are_whole_and_keep_to_a_limit(
    viewer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "PAGE", 2)
    devices = table(await viewer.get("/api/v1/devices?format=csv"))
    assert [row["id"] for row in devices] == [*LAMPS, "wl-1"]
    assert (devices[1]["alert_severity"], json.loads(devices[1]["attributes"])) == ("2", {"panel": "P-02"})
    latest = table(await viewer.get("/api/v1/latest?format=csv"))
    assert [(row["device_id"], row["power_w"], row["level_m"], row["siaga"]) for row in latest] == [
        ("lamp-1", "41.25", "", ""), ("lamp-2", "40.0", "", ""), ("wl-1", "", "2.5", "3"),
    ]  # fmt: skip
    alerts = table(await viewer.get("/api/v1/alerts?state=all", headers={"Accept": "text/csv, */*"}))
    assert {row["device_id"] for row in alerts} == {"lamp-2", "wl-1"}
    assert all(row["title_id"] and row["title_en"] for row in alerts)
    some = table(await viewer.get("/api/v1/latest?format=csv&limit=2&fields=device_id,level_m"))
    assert some == [{"device_id": "lamp-1", "level_m": ""}, {"device_id": "lamp-2", "level_m": ""}]


async def test_a_file_as_a_spreadsheet_in_indonesia_reads_it(viewer: httpx.AsyncClient, town: Any) -> None:
    town.reading("wl-1", "water_level", T0, level_m=2.5, boot="-1")
    asked = f"/api/v1/readings?device=wl-1&{DAY}&dialect=excel-id&format=csv"
    answer = await viewer.get(asked)
    assert answer.content.startswith(b"\xef\xbb\xbfdevice_id;ts;")
    (row,) = table(answer, ";")
    assert (row["ts"], row["level_m"], row["siaga"], row["late"]) == ("2026-11-24 19:00:00", "2,5", "3", "false")
    assert row["boot"] == "'-1", "no formula"
    name = table(await viewer.get("/api/v1/devices?format=csv&dialect=excel-id"), ";")[0]["name"]
    assert name.startswith("'=")
    assert table(await viewer.get("/api/v1/devices?format=csv"))[0]["name"].startswith("=")


async def test_ledger_and_metrics_as_files(viewer: httpx.AsyncClient, town: Any, db: psycopg.Connection) -> None:
    hour = T0.replace(minute=0)
    db.execute("INSERT INTO ledger VALUES ('wl-1', %s, 3, 3, 0, 0, 0)", (hour,))
    town.rollup("water_level", "1h", "wl-1", hour, 4, level_m_avg=2.5, level_m_w=4)
    rows = table(await viewer.get(f"/api/v1/ledger?device=wl-1&{DAY}&format=csv"))
    assert len(rows) == 24
    assert [row["received"] for row in rows if row["hour"] == "2026-11-24T12:00:00Z"] == ["3"]
    assert table(await viewer.get(f"/api/v1/ledger/summary?{DAY}&by=kind&format=csv")) == []
    rows = table(await viewer.get(f"/api/v1/metrics/water_level?{DAY}&metric=level_m&agg=avg&format=csv"))
    assert rows == [
        {"device_id": "wl-1", "bucket": "2026-11-24T12:00:00Z", "partial": "false", "n": "4", "good": "4",
         "level_m_avg": "2.5"},
    ]  # fmt: skip


@pytest.mark.parametrize("asked", [{"params": {"format": "geojson"}}, {"headers": {"Accept": "application/geo+json"}}])
@pytest.mark.parametrize("what", ["devices", "latest", "alerts"])
async def test_on_a_map(viewer: httpx.AsyncClient, what: str, asked: dict[str, Any]) -> None:
    answer = await viewer.get(f"/api/v1/{what}", **asked)
    assert answer.headers["content-type"] == "application/geo+json"
    told = answer.json()
    assert told["type"] == "FeatureCollection"
    features = {f["properties"].get("device_id") or f["properties"]["id"]: f for f in told["features"]}
    assert features["lamp-2"]["geometry"] == {"type": "Point", "coordinates": [99.609, 2.98]}
    assert features["wl-1"]["geometry"] is None
    part = await viewer.get(f"/api/v1/{what}?format=geojson&limit=1&fields=kind")
    assert part.json()["features"][0]["properties"].keys() == {"kind"}
    assert part.json()["next_cursor"]
    assert 'rel="next"' in part.headers["link"]


async def test_readings_of_many(viewer: httpx.AsyncClient, town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_text, "PAGE", 3)
    monkeypatch.setattr("storage.read_many.DEVICES", 2)
    for n in range(5):
        town.device(f"many-{n}", attributes={"panel": "P-09"})
        for i in range(n):
            town.reading(f"many-{n}", "streetlight", T0 + i * MINUTE, power_w=float(i))
    wanted = [(f"many-{n}", str(float(i))) for n in range(5) for i in range(n)]
    path = f"/api/v1/readings?kind=streetlight&panel=P-09&{DAY}"
    rows = table(await viewer.get(f"{path}&format=csv"))
    assert [(row["device_id"], row["power_w"]) for row in rows] == wanted
    assert len(table(await viewer.get(f"{path}&format=csv&limit=4"))) == 4
    seen, url = [], f"{path}&limit=3"
    while url:
        answer = await viewer.get(url)
        seen += [(item["device_id"], str(float(item["power_w"]))) for item in answer.json()["items"]]
        url = answer.links.get("next", {}).get("url", "")
    assert seen == wanted


@pytest.mark.parametrize(
    "path", ["devices", "latest?format=csv", "devices/lamp-1", "readings?device=wl-1", "alerts", "me"]
)
async def test_head_is_get_without_the_body(viewer: httpx.AsyncClient, path: str) -> None:
    head, get = await viewer.head(f"/api/v1/{path}"), await viewer.get(f"/api/v1/{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


async def test_head_of_live_events_is_refused(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.head("/api/v1/stream")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"


ROWS, DEVICES = 150_000, 150


@pytest.mark.slow
async def test_a_large_export_needs_no_more_memory_than_a_small_one(
    app: Any, town: Any, db: psycopg.Connection
) -> None:
    """Every row once and in order; what Python holds does not grow with the file. 10 million: bench/export.py."""
    for n in range(DEVICES):
        town.device(f"exp-{n:03}", attributes={"panel": "X"})
    first = T0 - timedelta(days=10)
    for week in {flavour.start_of(first + timedelta(days=n), STEPS["raw"]) for n in range(11)}:
        town._partition("reading_streetlight", week, STEPS["raw"])
    db.execute(
        "INSERT INTO reading_streetlight (device_id, ts, received_at, qc, qc_reason, power_w)"
        " SELECT format('exp-%%s', lpad(d::text, 3, '0')), %s + i * interval '14 min', now(), 1, 0, i"
        " FROM generate_series(0, %s) AS d, generate_series(0, %s) AS i",
        (first, DEVICES - 1, ROWS // DEVICES - 1),
    )
    query = "kind=streetlight&panel=X&format=csv&to=2026-11-24T12:00:00Z&from="
    tracemalloc.start()
    try:
        part = await drain(app, f"{query}2026-11-23T12:00:00Z")
        whole = await drain(app, f"{query}2026-11-14T12:00:00Z")
    finally:
        tracemalloc.stop()
    print(f"peak MiB: {part[1] / 2**20:.1f} of {part[0]:,} rows, {whole[1] / 2**20:.1f} of {whole[0]:,}")
    assert 10_000 < part[0] < 20_000
    assert whole[0] == ROWS + 1
    assert whole[1] < part[1] * 1.5


async def drain(app: Any, query: str) -> tuple[int, int]:
    """Lines of an export, none of which is kept, and the most memory that Python held meanwhile, in bytes."""
    lines, status = 0, 0
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]

    async def send(message: dict[str, Any]) -> None:
        nonlocal lines, status
        status = message.get("status", status)
        lines += message.get("body", b"").count(b"\r\n")

    headers = [(b"authorization", f"Bearer {KEYS['viewer']}".encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/api/v1/readings", "raw_path": b"/api/v1/readings",
        "query_string": query.encode(), "root_path": "", "headers": headers, "client": ("127.0.0.1", 1),
        "server": ("siaga", 80),
    }  # fmt: skip
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()
        sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    await app(scope, receive, send)
    assert status == 200
    return lines, tracemalloc.get_traced_memory()[1] - before
