"""A night of two panels as the API tells it: strips, what is lit now, dark panels, faults, and the same as a file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from api import lamp_groups, streetlight_shapes
from runtime.settings import Settings

NIGHT = "/api/v1/streetlights/night"
SUMMARY = "/api/v1/streetlights/summary"
# 18.00 WIB of a night that is over.
EVENING = datetime(2026, 11, 20, 11, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ON = {"date": "2026-11-20"}


@pytest.fixture
def panels(town: Any) -> dict[str, int]:
    """P-1: six lamps, dimmed from 22.00 on, one of them out; P-2: five that go dark at 01.00, silent from then on."""
    for n in range(6):
        town.device(f"a{n}", attributes={"panel": "P-1", "feeder": "F-1", "nominal_w": 80})
        for minutes in range(15, 720, 15):
            at = EVENING + minutes * MINUTE
            dimming = 100 if minutes < 240 else 70
            power = 0.5 if n == 5 else 80 * (0.85 * dimming / 100 + 0.15 * (dimming / 100) ** 2)
            town.rollup("streetlight", "5m", f"a{n}", at, power_w_last=power, dimming_pct_last=dimming)
    for n in range(5):
        town.device(f"b{n}", attributes={"panel": "P-2", "feeder": "F-1", "nominal_w": 80}, district="12.09.20")
        for minutes in range(15, 420, 15):
            town.rollup("streetlight", "5m", f"b{n}", EVENING + minutes * MINUTE, power_w_last=80, dimming_pct_last=100)
    town.device("alone", district="12.09.16", attributes={"nominal_w": 80}, lat=None, lon=None)
    dark_at = EVENING + 420 * MINUTE
    incident = town.alert(
        "$panel/P-2", "outage", 2, raised_at=dark_at, cleared_at=dark_at + 60 * MINUTE, active=False, acked=True
    )
    return {"incident": incident, "out": town.alert("a5", "lamp_out", raised_at=EVENING)}


def at(minutes: int) -> int:
    return minutes // 10


async def test_the_night_of_each_panel(viewer: Any, panels: dict[str, int]) -> None:
    answer = await viewer.get(NIGHT, params=ON)
    assert answer.status_code == 200, answer.text
    streetlight_shapes.Night.model_validate_json(answer.content)
    told = answer.json()
    assert (told["from"], told["to"], told["step_s"]) == ("2026-11-20T11:00:00Z", "2026-11-20T23:00:00Z", 600)
    assert (told["sunset"][:15], told["sunrise"][:15]) == ("2026-11-20T11:0", "2026-11-20T23:0")
    first, second, none = told["items"]
    assert (first["group"], first["lamps"], first["faults"]) == ("P-1", 6, {"lamp_out": 1})
    assert (second["group"], second["lamps"], second["district"]) == ("P-2", 5, "12.09.20")
    assert (none["group"], none["district"], none["lat"], none["lamps"]) == (None, "12.09.16", None, 1)
    assert len(first["lit_share"]) == 72
    assert (first["no_data_share"][0], first["lit_share"][at(200)]) == (1, 0.833)
    assert (first["dimmed_share"][at(200)], first["dimmed_share"][at(300)]) == (0, 0.833)
    assert not any(first["dark"])
    assert first["should_be_lit"][:2] == [False, True]
    assert first["should_be_lit"][-1]
    assert set(none["should_be_lit"]) == {None}
    # Until nobody would have heard of them any more they are as they were, but the incident knows better.
    assert second["dark"][at(410)] is False
    assert second["dark"][at(420) : at(480)] == [True] * 6
    assert (second["dark"][at(480)], second["no_data_share"][at(480)]) == (False, 1)


async def test_a_panel_whose_lamps_report_that_they_are_dark(viewer: Any, town: Any) -> None:
    for n in range(6):
        town.device(f"c{n}", attributes={"panel": "P-3", "nominal_w": 80})
        for minutes, power in ((0, 0.0), (25, 80), (60, 80), (90, 0.4), (120, 80)):
            town.rollup("streetlight", "5m", f"c{n}", EVENING + minutes * MINUTE, power_w_last=power)
    (panel,) = (await viewer.get(NIGHT, params=ON)).json()["items"]
    # At 18.00 they are dark as well, and nobody minds: the sun is about to set.
    assert [n for n, dark in enumerate(panel["dark"]) if dark] == [9, 10, 11]


async def test_a_day_is_the_other_half(viewer: Any, town: Any) -> None:
    town.device("burns", attributes={"panel": "P-1", "nominal_w": 80})
    town.rollup("streetlight", "5m", "burns", EVENING - 360 * MINUTE, power_w_last=80, dimming_pct_last=100)
    told = (await viewer.get(NIGHT, params=ON | {"half": "day"})).json()
    assert (told["from"], told["half"]) == ("2026-11-19T23:00:00Z", "day")
    (panel,) = told["items"]
    assert panel["lit_share"] == [0] * 36 + [1] * 18 + [0] * 18
    assert not any(panel["dark"])


async def test_feeders_and_districts(viewer: Any, panels: dict[str, int]) -> None:
    told = (await viewer.get(NIGHT, params=ON | {"by": "feeder"})).json()["items"]
    assert [(each["group"], each["lamps"]) for each in told] == [("F-1", 11), (None, 1)]
    some = (await viewer.get(NIGHT, params=ON | {"district": "12.09.20"})).json()["items"]
    assert [each["group"] for each in some] == ["P-2"]


async def test_a_lamp_that_moved_is_told_where_it_hung(
    viewer: Any, panels: dict[str, int], db: psycopg.Connection
) -> None:
    """And with the lamps that were in service then; the figures of now are of now."""
    before, after = EVENING - timedelta(days=3), EVENING + timedelta(days=1)
    db.execute("UPDATE device_history SET valid_from = %s", (before,))
    db.execute("UPDATE device SET attributes = attributes || '{\"panel\": \"P-9\"}' WHERE id = 'b0'")
    db.execute("UPDATE device_history SET valid_from = %s WHERE valid_from > %s", (after, before))
    db.execute("UPDATE device SET status = 'retired' WHERE id = 'b1'")
    db.execute("INSERT INTO device_life VALUES ('b1', %s, 'retired', 'x', 'x', %s)", (after, after))
    db.execute("UPDATE device SET status = 'in_service' WHERE id = 'a0'")
    db.execute("INSERT INTO device_life VALUES ('a0', %s, 'planned', 'x', 'x', %s)", (before, before))
    db.execute("INSERT INTO device_life VALUES ('a0', %s, 'in_service', 'x', 'x', %s)", (after, after))

    async def lamps(of: dict[str, str]) -> dict[str, int]:
        items = (await viewer.get(NIGHT, params=of)).json()["items"]
        return {each["group"]: each["lamps"] for each in items if each["group"]}

    assert await lamps(ON) == {"P-1": 5, "P-2": 5}
    assert await lamps({"date": "2026-11-22"}) == {"P-1": 6, "P-2": 3, "P-9": 1}
    assert await lamps({}) == {"P-1": 6, "P-2": 3, "P-9": 1}
    assert (await viewer.get(SUMMARY)).json()["panels"] == 3


async def test_the_same_as_a_file(viewer: Any, panels: dict[str, int]) -> None:
    answer = await viewer.get(NIGHT, params=ON | {"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(lines[0]) == list(lamp_groups.COLUMNS)
    assert len(lines) == 3 * 72
    (cell,) = [x for x in lines if x["group"] == "P-2" and x["bucket"] == "2026-11-20T18:00:00Z"]
    assert (cell["lamps"], cell["dark"], cell["should_be_lit"]) == ("5", "true", "true")


async def test_energy_of_a_panel_and_month_is_a_file(viewer: Any, town: Any, db: psycopg.Connection) -> None:
    """docs/streetlights.md names this address."""
    for lamp, panel, wh in (("a", "P-1", 900.0), ("b", "P-1", 100.0), ("c", "P-2", 5.0)):
        town.device(lamp, attributes={"panel": panel})
        for day in (1, 2):
            midnight = datetime(2026, 11, day, tzinfo=UTC) - timedelta(hours=7)
            town.rollup("streetlight", "1d", lamp, midnight, energy_wh_delta=wh)
            db.execute("INSERT INTO group_mark (kind, day) VALUES ('streetlight', %s)", (midnight,))
    asked = "group=panel&bucket=1mo&agg=delta&metric=energy_wh&from=2026-11-01T00:00:00%2B07:00"
    answer = await viewer.get(f"/api/v1/metrics/streetlight?{asked}&to=2026-12-01T00:00:00%2B07:00&format=csv")
    assert answer.status_code == 200, answer.text
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(each["group"], each["bucket"], float(each["energy_wh_delta"])) for each in lines] == [
        ("P-1", "2026-10-31T17:00:00Z", 2000.0),
        ("P-2", "2026-10-31T17:00:00Z", 10.0),
    ]


async def test_what_is_to_come_is_not_told(viewer: Any, town: Any, settings: Settings) -> None:
    town.device("lamp", attributes={"panel": "P-1"})
    tomorrow = (datetime.now(settings.zone) + timedelta(days=2)).date()
    (panel,) = (await viewer.get(NIGHT, params={"date": str(tomorrow)})).json()["items"]
    for name in ("lit_share", "dimmed_share", "no_data_share", "dark"):
        assert panel[name] == [None] * 72
    assert True in panel["should_be_lit"]


@pytest.mark.parametrize(
    ("clock", "half", "since"),
    [
        ("2026-11-24T01:07+07:00", "night", "2026-11-23T11:00"),
        ("2026-11-24T19:00+07:00", "night", "2026-11-24T11:00"),
        ("2026-11-24T12:00+07:00", "night", "2026-11-23T11:00"),
        ("2026-11-24T12:00+07:00", "day", "2026-11-23T23:00"),
        ("2026-11-24T01:07+07:00", "day", "2026-11-22T23:00"),
    ],
)
def test_the_last_half_that_began(clock: str, half: Any, since: str, settings: Any) -> None:
    times = lamp_groups.times_of(None, half, settings.zone, datetime.fromisoformat(clock))
    assert times.since == datetime.fromisoformat(since).replace(tzinfo=UTC)


async def test_dates_that_are_none_or_gone(viewer: Any, db: psycopg.Connection) -> None:
    for wrong in ("0001-01-01", "9999-12-31", "yesterday"):
        answer = await viewer.get(NIGHT, params={"date": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "date")
    db.execute("INSERT INTO closed VALUES ('streetlight', '5m', '2026-11-21T00:00Z')")
    assert (await viewer.get(NIGHT, params=ON)).status_code == 422


async def test_the_summary(viewer: Any, town: Any, panels: dict[str, int]) -> None:
    now = datetime.now(UTC)
    town.latest("a0", "streetlight", now - MINUTE, power_w=80, dimming_pct=100)
    town.latest("a1", "streetlight", now - MINUTE, power_w=999, qc=4)
    town.latest("a2", "streetlight", now - timedelta(hours=4), power_w=80)
    incident = town.alert("$panel/P-2", "outage", 2, raised_at=now - 5 * MINUTE)
    town.alert("b0", "unpowered", raised_at=now - 5 * MINUTE, parent_id=incident)
    town.alert("a0", "day_burner", raised_at=now - 5 * MINUTE)
    answer = await viewer.get(SUMMARY)
    streetlight_shapes.LampSummary.model_validate_json(answer.content)
    told = answer.json()
    assert (told["lamps"], told["panels"], told["feeders"]) == (12, 2, 1)
    assert (told["lit"], told["silent"], told["power_w"]) == (1, 11, 80)
    assert told["expected"] in (0, 11)
    assert [(each["by"], each["group"], each["lamps"], each["alert_id"]) for each in told["dark"]] == [
        ("panel", "P-2", 5, incident)
    ]
    assert (told["day_burners"], told["failed_alone"]) == (1, 1)
    faults = {each["rule"]: (each["devices"], each["alone"]) for each in told["faults"]}
    assert faults == {"outage": (1, 1), "unpowered": (1, 0), "day_burner": (1, 1), "lamp_out": (1, 1)}
    (first, *_) = (await viewer.get(NIGHT)).json()["items"]
    assert (first["group"], first["alert_id"], first["lit"]) == ("P-2", incident, 0)
