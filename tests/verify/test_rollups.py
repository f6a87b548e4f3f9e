"""Rollups computed by NumPy: the same as worked out row by row, for readings of every sort."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.kinds import KINDS
from siaga.verify.report import EPOCH
from siaga.verify.rollups import bucket_starts, compare, rolled
from storage.audit import Rows
from storage.kind_tables import BUCKETS
from tests.storage.rolled import WIB, _aggregates, _deltas, bucket_of, differ

KATHMANDU = ZoneInfo("Asia/Kathmandu")  # +05:45
START = datetime(2026, 11, 23, 16, tzinfo=WIB)

cells = st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(0, 3).map(float))


@st.composite
def some_rows(draw: st.DrawFn, kind: str) -> list[dict[str, Any]]:
    """Rows of two devices in order of device and time."""
    rows = []
    for device in ("a", "b"):
        for minute in sorted(draw(st.sets(st.integers(0, 3_000), max_size=12))):
            values = {name: draw(cells) for name in KINDS[kind].metrics}
            qc = draw(st.sampled_from([1, 1, 2, 3, 4, 9]))
            ts = (START + timedelta(minutes=minute)).astimezone(EPOCH.tzinfo)
            rows.append({"device_id": device, "ts": ts, "qc": qc} | values)
    return rows


def as_columns(kind: str, rows: list[dict[str, Any]]) -> Rows:
    return Rows(
        np.array(["ab".index(row["device_id"]) for row in rows], dtype=np.int64),
        np.array([(row["ts"] - EPOCH) // timedelta(microseconds=1) for row in rows], dtype=np.int64),
        {"qc": np.array([row["qc"] for row in rows], dtype=np.int64)},
        {name: np.array([row[name] for row in rows], dtype=np.float64) for name in KINDS[kind].metrics},
        {},
    )


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_as_worked_out_row_by_row(kind: str, data: st.DataObject) -> None:
    rows = data.draw(some_rows(kind))
    declared = KINDS[kind]
    nothing = {name: np.full(2, np.nan) for name, metric in declared.metrics.items() if metric.rollup == "counter"}
    for size in BUCKETS:
        start = bucket_of(size, WIB)
        grouped: dict[tuple[str, datetime], list[dict[str, Any]]] = {}
        for row in rows:
            grouped.setdefault((row["device_id"], start(row["ts"])), []).append(row)
        wanted = {key: _aggregates(declared, group) for key, group in grouped.items()}
        for metric in declared.metrics.values():
            if metric.rollup == "counter":
                for key, delta in _deltas(metric, rows, start).items():
                    wanted[key][f"{metric.name}_delta"] = delta
        found = rolled(declared, size, WIB, as_columns(kind, rows), nothing)
        keys = [("ab"[device], EPOCH + timedelta(microseconds=at)) for device, at in found.places()]
        assert keys == list(wanted)
        for row_number, (key, row) in enumerate(wanted.items()):
            for name, value in row.items():
                column = found.whole.get(name, found.numbers.get(name))
                assert column is not None
                there = float(column[row_number])
                assert not differ(None if np.isnan(there) else there, value), (size, key, name, there, value)


def test_a_counter_goes_on_from_before() -> None:
    rows = [
        {"device_id": "a", "ts": EPOCH, "qc": 1, "energy_wh": 150.0},
        {"device_id": "b", "ts": EPOCH, "qc": 1, "energy_wh": 20.0},
    ]
    full = [dict.fromkeys(KINDS["streetlight"].metrics) | row for row in rows]
    before = {name: np.array([np.nan, np.nan]) for name in ("operating_h", "switch_count")}
    before["energy_wh"] = np.array([100.0, 100.0])
    found = rolled(KINDS["streetlight"], "5m", WIB, as_columns("streetlight", full), before)
    assert found.numbers["energy_wh_delta"].tolist() == [50.0, 20.0]  # b started anew


def test_days_begin_at_midnight_of_the_zone() -> None:
    def micros(*of: int, zone: ZoneInfo) -> int:
        return (datetime(*of, tzinfo=zone) - EPOCH) // timedelta(microseconds=1)  # type: ignore[arg-type,misc]

    for zone in (WIB, KATHMANDU):
        times = np.array([micros(2026, 11, 23, 0, 0, zone=zone), micros(2026, 11, 23, 23, 59, zone=zone)])
        midnight = micros(2026, 11, 23, zone=zone)
        assert bucket_starts(times, "1d", zone).tolist() == [midnight, midnight]


def test_differences_name_the_column() -> None:
    kind = KINDS["traffic"]
    rows = [dict.fromkeys(kind.metrics) | {"device_id": "a", "ts": EPOCH, "qc": 1, "count": 4.0}]
    wanted = rolled(kind, "1h", WIB, as_columns("traffic", rows), {})
    nothing = rolled(kind, "1h", WIB, as_columns("traffic", []), {})
    assert list(compare(kind, "1h", ("a",), wanted, wanted)) == []
    assert [f.what for f in compare(kind, "1h", ("a",), wanted, nothing)] == ["missing"]
    assert [f.what for f in compare(kind, "1h", ("a",), nothing, wanted)] == ["extra"]
    wanted.numbers["count_sum"][0] = 5
    there = rolled(kind, "1h", WIB, as_columns("traffic", rows), {})
    (finding,) = compare(kind, "1h", ("a",), wanted, there)
    assert (finding.where, finding.detail) == ("rollup_traffic_1h", "count_sum is 4.0, its readings give 5.0")
