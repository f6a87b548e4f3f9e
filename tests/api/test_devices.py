"""Kinds and the registry."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import psycopg

from api import shapes
from devices.kinds import KINDS
from storage import keys

GOOD = """id,kind,name,district,lat,lon,nominal_w,siaga_3_m
lamp-1,streetlight,Jl. Imam Bonjol 1,12.09.19,2.98,99.61,90,
wl-1,water_level,"Silau, Buntu Pane",12.09.14,2.9,99.5,,2.5
"""


async def test_kinds_come_from_the_declarations(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/api/v1/kinds")
    kinds = {kind.kind: kind for kind in shapes.Kinds.model_validate_json(answer.content).items}
    assert set(kinds) == set(KINDS)
    for name, kind in kinds.items():
        assert [m.name for m in kind.metrics] == list(KINDS[name].metrics)
        assert [d.name for d in kind.diagnostics] == ["battery_v", "rssi_dbm", "snr_db", "uptime_s"]
        assert {a.name for a in kind.attributes} == set(KINDS[name].attributes.model_fields)
    traffic = {m.name: m for m in kinds["traffic"].metrics}
    assert traffic["speed_kmh"].unit_label.id == "km/jam"
    assert traffic["flow_vph"].derived
    attributes = {a.name: a for a in kinds["water_level"].attributes}
    assert attributes["siaga_3_m"].type == "number"
    assert attributes["official"].type == "boolean"
    assert (attributes["valid_from"].type, attributes["valid_from"].format) == ("string", "date")
    assert not attributes["river"].required


async def test_devices_by_kind_and_district(viewer: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp-2", district="12.09.20")
    town.device("lamp-1", attributes={"nominal_w": 90, "panel": "P7"})
    town.gauge("wl-1")
    listed = shapes.Devices.model_validate_json((await viewer.get("/api/v1/devices")).content)
    assert [d.id for d in listed.items] == ["lamp-1", "lamp-2", "wl-1"]
    assert listed.items[0].attributes == {"nominal_w": 90, "panel": "P7"}
    lamps = (await viewer.get("/api/v1/devices?kind=streetlight&district=12.09.19")).json()["items"]
    assert [d["id"] for d in lamps] == ["lamp-1"]


async def test_device_shows_its_worst_open_alert(viewer: httpx.AsyncClient, town: Any) -> None:
    town.device("lamp-1")
    town.alert("lamp-1", severity=0)
    worst = town.alert("lamp-1", rule="voltage_low", severity=2, acked=True)
    town.alert("lamp-1", rule="voltage_high", severity=3, active=False, acked=True)
    town.alert("lamp-1", rule="siaga", severity=3, historical=True)
    device = (await viewer.get("/api/v1/devices/lamp-1")).json()
    assert device["alert"] == {"id": worst, "severity": 2, "acked": True}


async def test_unknown_device_is_404(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.get("/api/v1/devices/nobody")
    assert answer.status_code == 404
    assert "nobody" in answer.json()["detail"]


async def test_pages_hold_every_device_once(viewer: httpx.AsyncClient, town: Any) -> None:
    for number in range(7):
        town.device(f"lamp-{number}")
    seen: list[str] = []
    address = "/api/v1/devices?kind=streetlight&limit=3"
    while True:
        answer = await viewer.get(address)
        page = answer.json()
        seen += [d["id"] for d in page["items"]]
        if page["next_cursor"] is None:
            assert "link" not in answer.headers
            break
        address, _, rel = answer.headers["link"].partition("; ")
        assert rel == 'rel="next"'
        address = address.strip("<>")
        assert page["next_cursor"] in address
    assert seen == [f"lamp-{number}" for number in range(7)]


async def test_import_registers_then_changes_nothing(client: Any, viewer: httpx.AsyncClient) -> None:
    engineer = client("engineer")
    headers = {"Content-Type": "text/csv"}
    first = await engineer.post("/api/v1/devices/import", content=GOOD, headers=headers)
    assert first.json() == {"added": 2, "updated": 0, "unchanged": 0, "corrected": 0, "skipped": 0, "errors": []}
    again = await engineer.post("/api/v1/devices/import", content=GOOD.encode("utf-8-sig"), headers=headers)
    assert again.json() == {"added": 0, "updated": 0, "unchanged": 2, "corrected": 0, "skipped": 0, "errors": []}
    moved = await engineer.post("/api/v1/devices/import", content=GOOD.replace("2.98", "2.99"), headers=headers)
    assert moved.json()["updated"] == 1
    gauge = (await viewer.get("/api/v1/devices/wl-1")).json()
    assert gauge["name"] == "Silau, Buntu Pane"
    assert gauge["attributes"] == {"siaga_3_m": 2.5, "official": False}


async def test_import_is_all_or_nothing_unless_told(client: Any, viewer: httpx.AsyncClient) -> None:
    engineer = client("engineer")
    bad = GOOD + "lamp 2,streetlight,,,,,,\nlamp-3,submarine,,,,,,\n"
    refused = await engineer.post("/api/v1/devices/import", content=bad)
    assert refused.status_code == 422
    assert [(e["row"], e["field"]) for e in refused.json()["errors"]] == [(4, "id"), (5, "kind")]
    assert (await viewer.get("/api/v1/devices")).json()["items"] == []
    taken = await engineer.post("/api/v1/devices/import?skip_bad=true", content=bad)
    assert taken.status_code == 200
    assert (taken.json()["added"], taken.json()["skipped"]) == (2, 2)
    assert len(taken.json()["errors"]) == 2


async def test_import_refuses_a_change_of_kind(client: Any, town: Any) -> None:
    town.device("lamp-1")
    answer = await client("engineer").post("/api/v1/devices/import", content="id,kind\nlamp-1,traffic\n")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "kind"


async def test_import_refuses_what_is_no_csv(client: Any, db: psycopg.Connection) -> None:
    engineer = client("engineer")
    for body in (
        b"",
        b"id,kind\nlamp-1\x00,streetlight\n",
        b"id,kind\n\xff\xfe,streetlight\n",
        b'id,kind\n"' + b"x" * 200_000,
    ):
        answer = await engineer.post("/api/v1/devices/import", content=body)
        assert answer.status_code == 422, body[:20]
        assert answer.json()["errors"]


async def test_large_answers_are_compressed(viewer: httpx.AsyncClient) -> None:
    async with viewer.stream("GET", "/api/v1/kinds", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw).startswith(b'{"items":[')


async def test_who_is_limited_corrects_the_past_of_their_own_devices(client: Any, db: psycopg.Connection) -> None:
    row = "id,kind,region,panel\n{},streetlight,{},{}\n"
    whole = client("engineer")
    for device, region in (("ours", "12.09"), ("theirs", "12.71")):
        for panel in ("P-1", "P-2"):
            await whole.post("/api/v1/devices/import", content=row.format(device, region, panel))
    db.execute(
        "INSERT INTO api_key (name, digest, role, regions) VALUES ('limited', %s, 'engineer', %s)",
        (keys.digest("limited"), ["12.09"]),
    )
    limited = client(None)
    limited.headers["Authorization"] = "Bearer limited"
    done = await limited.post("/api/v1/devices/import?correct=true", content=row.format("ours", "12.09", "P-2"))
    assert done.status_code == 200, done.text
    assert done.json()["corrected"] == 1
    refused = await limited.post("/api/v1/devices/import?correct=true", content=row.format("theirs", "12.71", "P-3"))
    assert refused.status_code == 403
    count = "SELECT device_id, count(*) FROM device_history GROUP BY 1 ORDER BY 1"
    assert db.execute(count.encode()).fetchall() == [("ours", 1), ("theirs", 2)]
