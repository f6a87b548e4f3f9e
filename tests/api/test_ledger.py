"""The ledger over HTTP: hours, completeness, what is missing, and the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api import quarantine_shapes as shapes

HOUR = timedelta(hours=1)
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
RANGE = "from=2026-11-20T12:00:00Z&to=2026-11-20T15:00:00Z"


def hour(town: Any, device: str, at: datetime, stored: int, **more: int) -> None:
    row = {"stored": stored, "duplicate": 0, "conflict": 0, "quarantined": 0} | more
    town._insert("ledger", device_id=device, hour=at, received=sum(row.values()), **row)


@pytest.fixture
def gauge(town: Any) -> str:
    """Numbers 1 to 3, then two are missing, then 6; silent after that."""
    town.gauge("wl-1")
    for seq, minute in {1: 0, 2: 20, 3: 40, 6: 100}.items():
        town.reading("wl-1", "water_level", START + timedelta(minutes=minute), seq=seq, boot="a", level_m=1.0)
    hour(town, "wl-1", START, 3, duplicate=2)
    hour(town, "wl-1", START + HOUR, 1)
    return "wl-1"


async def test_hours_with_what_is_missing_and_silence(viewer: httpx.AsyncClient, gauge: str) -> None:
    answer = await viewer.get(f"/api/v1/ledger?device={gauge}&{RANGE}")
    shapes.Ledger.model_validate_json(answer.content)
    names = ("hour", "received", "stored", "duplicate", "missing", "completeness")
    one, two, three = (tuple(item[name] for name in names) for item in answer.json()["items"])
    assert one == ("2026-11-20T12:00:00Z", 5, 3, 2, 0, 1.0)
    assert two == ("2026-11-20T13:00:00Z", 1, 1, 0, 2, 1 / 3)
    assert three == ("2026-11-20T14:00:00Z", 0, 0, 0, 0, 0.0)


async def test_hours_of_which_the_raw_rows_are_gone(viewer: httpx.AsyncClient, town: Any, gauge: str) -> None:
    """What was counted while they were there stands for them; hours with rows are told by their rows."""
    town._insert("ledger_missing", device_id=gauge, hour=START, missing=7)
    town._insert("ledger_missing", device_id=gauge, hour=START + HOUR, missing=7)
    town.conn.execute("DELETE FROM reading_water_level WHERE ts < %s", (START + HOUR,))
    answer = await viewer.get(f"/api/v1/ledger?device={gauge}&{RANGE}")
    assert [(item["missing"], item["expected"]) for item in answer.json()["items"][:2]] == [(7, 10), (0, 1)]
    town.conn.execute("DELETE FROM reading_water_level")
    answer = await viewer.get(f"/api/v1/ledger?device={gauge}&{RANGE}")
    assert [item["missing"] for item in answer.json()["items"]] == [7, 7, 0]


async def test_devices_that_lack_something(viewer: httpx.AsyncClient, town: Any, gauge: str) -> None:
    town._insert("ledger_missing", device_id=gauge, hour=START + HOUR, missing=2)
    town._insert("ledger_missing", device_id="wl-silent", hour=START, missing=1)
    town._insert("ledger_missing", device_id="wl-before", hour=START - HOUR, missing=9)
    hour(town, "wl-fine", START, 6, duplicate=3)
    hour(town, "?", START, 0, quarantined=5)
    answer = await viewer.get(f"/api/v1/ledger/devices?{RANGE}")
    shapes.LedgerDevices.model_validate_json(answer.content)
    found = [
        (each["device_id"], each["received"], each["quarantined"], each["missing"]) for each in answer.json()["items"]
    ]
    assert found == [("?", 5, 5, 0), (gauge, 6, 0, 2), ("wl-silent", 0, 0, 1)]
    assert len((await viewer.get(f"/api/v1/ledger/devices?{RANGE}&limit=1")).json()["items"]) == 1


def summed(town: Any, at: datetime, kind: str, district: str, stored: int, expected: int, **more: Any) -> None:
    row = {
        "received": stored, "stored": stored, "duplicate": 0, "conflict": 0, "quarantined": 0, "missing": 0,
        "expected": expected, "met": min(stored, expected), "summed_at": at + 4 * HOUR,
    } | more  # fmt: skip
    town._insert("ledger_sum", hour=at, kind=kind, district=district, **row)


async def test_summary_of_the_fleet(viewer: httpx.AsyncClient, town: Any) -> None:
    summed(town, START, "streetlight", "12.09.19", 30, 40, missing=10)
    summed(town, START, "streetlight", "", 8, 8)
    summed(town, START, "traffic", "12.09.19", 2, 2, summed_at=START)
    summed(town, START + HOUR, "traffic", "12.09.19", 0, 10)
    summed(town, START, "", "", 0, 0, received=5, quarantined=5)

    async def ask(query: str) -> list[dict[str, Any]]:
        answer = await viewer.get(f"/api/v1/ledger/summary?{RANGE}&{query}")
        shapes.Summary.model_validate_json(answer.content)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    one, two = await ask("")
    assert one == {
        "hour": "2026-11-20T12:00:00Z", "received": 45, "stored": 40, "duplicate": 0, "conflict": 0,
        "quarantined": 5, "missing": 10, "expected": 50, "completeness": 0.8, "final": False,
    }  # fmt: skip
    assert (two["completeness"], two["final"]) == (0.0, True)
    by_kind = await ask("by=kind")
    assert [(item["kind"], item["stored"], item["expected"], item["completeness"]) for item in by_kind] == [
        (None, 0, 0, None), ("streetlight", 38, 48, 38 / 48), ("traffic", 2, 12, 2 / 12),
    ]  # fmt: skip
    by_both = await ask("by=district,hour&kind=streetlight")
    assert [(item["district"], item["stored"]) for item in by_both] == [(None, 8), ("12.09.19", 30)]
    assert [item["stored"] for item in await ask("by=kind&district=12.09.19")] == [30, 2]


@pytest.mark.parametrize(("query", "field"), [("by=mood", "by"), ("by=hour,,kind", "by"), ("from=now-", "from")])
async def test_summary_refused(viewer: httpx.AsyncClient, query: str, field: str) -> None:
    answer = await viewer.get(f"/api/v1/ledger/summary?{query}")
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_a_summary_longer_than_a_page_is_refused(viewer: httpx.AsyncClient, town: Any) -> None:
    town.conn.execute(
        "INSERT INTO ledger_sum SELECT h, '', '', 0, 0, 0, 0, 0, 0, 0, 0, h"
        " FROM generate_series(%s, %s, interval '1 hour') AS t(h)", (START, START + 1000 * HOUR),
    )  # fmt: skip
    answer = await viewer.get(f"/api/v1/ledger/summary?from={START:%Y-%m-%dT%H:%M:%SZ}&to=2027-11-20T12:00:00Z")
    assert answer.status_code == 422
    assert "SIAGA_PAGE_MAX" in answer.text


async def test_missing_ranges(viewer: httpx.AsyncClient, gauge: str) -> None:
    answer = await viewer.get(f"/api/v1/ledger/missing?device={gauge}&{RANGE}")
    shapes.MissingRanges.model_validate_json(answer.content)
    assert answer.json()["items"] == [
        {
            "boot": "a", "first": 4, "last": 5, "count": 2,
            "after": "2026-11-20T12:40:00Z", "until": "2026-11-20T13:40:00Z",
        }
    ]  # fmt: skip


async def test_without_numbers_the_interval_counts(viewer: httpx.AsyncClient, town: Any) -> None:
    """A lamp that reported once in an hour of the day is complete; in an hour of the night it is not."""
    town.device("lamp-1")
    for at in (START - 7 * HOUR, START + 5 * HOUR):  # noon and midnight in Asahan
        town.reading("lamp-1", "streetlight", at, power_w=0.0)
        hour(town, "lamp-1", at, 1)
    found = []
    for day in (
        "from=2026-11-20T05:00:00Z&to=2026-11-20T06:00:00Z",
        "from=2026-11-20T17:00:00Z&to=2026-11-20T18:00:00Z",
    ):
        (item,) = (await viewer.get(f"/api/v1/ledger?device=lamp-1&{day}")).json()["items"]
        found.append((item["expected"], item["completeness"]))
    assert found == [(1, 1.0), (4, 0.25)]


async def test_the_clock(viewer: httpx.AsyncClient, gauge: str) -> None:
    answer = await viewer.get(f"/api/v1/ledger/drift?device={gauge}&{RANGE}")
    shapes.Drift.model_validate_json(answer.content)
    assert answer.json() == {"device_id": gauge, "offset_s": 1.0, "drift_s_per_day": None, "n": 4, "flagged": False}


async def test_a_clock_that_is_off_is_flagged(viewer: httpx.AsyncClient, town: Any, gauge: str) -> None:
    town.conn.execute("UPDATE reading_water_level SET received_at = ts + interval '61 s'")
    answer = (await viewer.get(f"/api/v1/ledger/drift?device={gauge}&{RANGE}")).json()
    assert (answer["offset_s"], answer["flagged"]) == (61.0, True)


@pytest.mark.parametrize("path", ["ledger", "ledger/missing", "ledger/drift"])
async def test_refusals(viewer: httpx.AsyncClient, town: Any, path: str) -> None:
    assert (await viewer.get(f"/api/v1/{path}?device=nobody")).status_code == 404
    answer = await viewer.get(f"/api/v1/{path}?device=nobody&from=-40d")
    assert answer.status_code == 422
    assert "SIAGA_LEDGER_DAYS_MAX" in answer.text
