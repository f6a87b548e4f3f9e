"""The truth of a run: what is written is what is read, and the same run writes the same bytes."""

from __future__ import annotations

import filecmp
import gzip
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from devices.kinds import KINDS
from simulator.fleet import make_fleet
from simulator.truth.folder import (
    OUTCOMES,
    Expected,
    ExpectedIncident,
    Step,
    Summary,
    Told,
    Truth,
    TruthError,
    Writer,
    read,
)
from tests.simulator.offline import every, shipped_plan, write_truth, written_plan

FLEET = make_fleet(30, 1, cabinets=True)
SUMMARY = Summary("of a test", 1, "12.09", "past", 0, 10, 30, 5, {"stored": 4, "not_sent": 1}, 2)
ALERTS = [
    Expected("siaga", "wl-buntu-pane", True, (Step(5, 1), Step(7, 3)), None, 0.0),
    Expected("stale", "pju-0001", False, (Step(8, 0),), 9, 40.5),
]
INCIDENTS = (ExpectedIncident("outage", "panel", "P-01", True, 7, 5, None, 0.5),)


def told(kind: str, **change: object) -> Told:
    """A stored reading with a value for every metric but the first."""
    values = {name: None if at == 0 else at / 3 for at, name in enumerate(KINDS[kind].metrics)}
    device_id = next(device.id for device in FLEET if device.kind == kind)
    return Told(7, device_id, "", 1_000, 1_001, 3, "0a1b2c", "stored", 1, 0, "spike drift", values)._replace(**change)


@contextmanager
def writing(folder: Path) -> Iterator[Writer]:
    with closing(Writer(folder, FLEET)) as writer:
        yield writer


def written(folder: Path, rows: list[tuple[str, Told]] | None = None, unsure: dict[int, str] | None = None) -> Truth:
    with writing(folder) as writer:
        for kind, row in rows or []:
            writer.add(kind, row)
        writer.finish(SUMMARY, ALERTS, unsure or {}, INCIDENTS)
    return read(folder)


class TestRoundTrip:
    @pytest.mark.parametrize("kind", sorted(KINDS))
    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_of_every_outcome_and_kind(self, tmp_path: Path, kind: str, outcome: str) -> None:
        rows = [told(kind, outcome=outcome), told(kind, outcome=outcome, message=8)]
        truth = written(tmp_path / "truth", [(kind, row) for row in rows])
        assert list(truth.rows(kind)) == rows
        assert [list(truth.rows(other)) for other in KINDS if other != kind] == [[]] * (len(KINDS) - 1)

    def test_of_a_packet_that_is_no_reading(self, tmp_path: Path) -> None:
        topic = "siaga/v1/12.08/wl-buntu-pane/readings"
        row = Told(9, "wl-x", topic, 5, None, None, None, "identity_mismatch", None, None, "", {})
        (again,) = written(tmp_path, [("water_level", row)]).rows("water_level")
        assert again == row._replace(values=dict.fromkeys(KINDS["water_level"].metrics))

    def test_of_one_never_sent_with_a_clock_before_1970(self, tmp_path: Path) -> None:
        row = told("traffic", message=-1, outcome="not_sent", ts_ms=-1, seq=0)
        assert list(written(tmp_path, [("traffic", row)]).rows("traffic")) == [row]

    def test_of_numbers_to_the_last_bit(self, tmp_path: Path) -> None:
        values = dict.fromkeys(KINDS["water_level"].metrics, 0.1 + 0.2) | {"rain_mm": 1e-300, "level_m": -0.0}
        (again,) = written(tmp_path, [("water_level", told("water_level", values=values))]).rows("water_level")
        assert {name: value.hex() for name, value in again.values.items() if value is not None} == {
            name: float(value).hex() for name, value in values.items()
        }

    def test_of_alerts_fleet_summary_and_what_is_unsure(self, tmp_path: Path) -> None:
        truth = written(tmp_path, unsure={12: "not acknowledged", 3: "acknowledged within 2 s, before it broke"})
        assert list(truth.alerts) == ALERTS
        assert list(truth.fleet) == FLEET
        assert truth.summary == SUMMARY
        assert truth.incidents == INCIDENTS
        assert truth.unsure == {3: "acknowledged within 2 s, before it broke", 12: "not acknowledged"}
        assert truth.folder == tmp_path
        assert ALERTS[0].peak == 3

    def test_outcomes_are_counted_as_they_are_written(self, tmp_path: Path) -> None:
        with writing(tmp_path) as writer:
            for outcome in ("stored", "stored", "too_old"):
                writer.add("traffic", told("traffic", outcome=outcome))
            assert writer.outcomes == dict.fromkeys(OUTCOMES, 0) | {"stored": 2, "too_old": 1}

    def test_where_all_is_sure_there_is_no_file_that_says_so(self, tmp_path: Path) -> None:
        assert written(tmp_path).unsure == {}
        assert not (tmp_path / "unsure.csv").exists()


class TestRefused:
    def test_a_folder_that_is_not_empty(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(TruthError, match=r"--truth .*the folder is not empty"):
            Writer(tmp_path, FLEET)
        assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]

    def test_a_run_that_did_not_end(self, tmp_path: Path) -> None:
        with writing(tmp_path) as writer:
            writer.add("traffic", told("traffic"))
        with pytest.raises(TruthError, match=r"truth\.json is not there: was the run .* to its end"):
            read(tmp_path)

    def test_another_format(self, tmp_path: Path) -> None:
        written(tmp_path)
        file = tmp_path / "truth.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 1}))
        with pytest.raises(TruthError, match=r"truth\.json: format 1, this version reads 3"):
            read(tmp_path)

    def test_columns_of_another_version(self, tmp_path: Path) -> None:
        truth = written(tmp_path, [("traffic", told("traffic"))])
        file = tmp_path / "readings_traffic.csv.gz"
        lines = gzip.decompress(file.read_bytes()).replace(b"speed_kmh", b"speed_mph", 1)
        file.write_bytes(gzip.compress(lines))
        with pytest.raises(TruthError, match=r"readings_traffic\.csv\.gz: written by another version"):
            list(truth.rows("traffic"))

    @pytest.mark.parametrize(
        "spoilt", [b"", b"no gzip", gzip.compress(b"message,device_id\n")[:-9]], ids=["nothing", "no gzip", "half"]
    )
    def test_readings_that_are_cut_off(self, tmp_path: Path, spoilt: bytes) -> None:
        truth = written(tmp_path, [("traffic", told("traffic"))])
        (tmp_path / "readings_traffic.csv.gz").write_bytes(spoilt)
        with pytest.raises(TruthError, match=r"readings_traffic\.csv\.gz"):
            list(truth.rows("traffic"))

    @pytest.mark.parametrize("file", ["truth.json", "alerts.jsonl", "incidents.jsonl", "unsure.csv"])
    def test_a_file_that_is_something_else(self, tmp_path: Path, file: str) -> None:
        written(tmp_path, unsure={1: "why"})
        (tmp_path / file).write_text('{"x": 1}\n[]\n')
        with pytest.raises(TruthError):
            read(tmp_path)


class TestSameBytes:
    @pytest.mark.parametrize("hours", [2.0, 0.37])
    def test_however_time_is_cut(self, tmp_path: Path, hours: float) -> None:
        one, other = (shipped_plan("data-kotor", 3, hours=11) for _ in range(2))
        write_truth(one, tmp_path / "one")
        write_truth(other, tmp_path / "other", every(hours, other))
        assert differing(tmp_path / "one", tmp_path / "other") == []
        assert sum(file.suffix == ".gz" for file in (tmp_path / "one").iterdir()) == 3

    def test_but_not_of_another_seed(self, tmp_path: Path) -> None:
        for seed in (1, 2):
            write_truth(written_plan(hours=1, seed=seed), tmp_path / str(seed))
        assert len(differing(tmp_path / "1", tmp_path / "2")) >= 4

    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        plan = shipped_plan("data-kotor", 1, hours=7)
        found = write_truth(plan, tmp_path)
        truth = read(tmp_path)
        assert truth.fleet == plan.fleet
        assert list(truth.alerts) == found.alerts
        of_kind = {kind: list(truth.rows(kind)) for kind in KINDS}
        assert sum(map(len, of_kind.values())) == len(found.rows) == sum(truth.summary.outcomes.values())
        empty = {kind: dict.fromkeys(KINDS[kind].metrics) for kind in KINDS}
        kinds = {device.id: device.kind for device in plan.fleet}
        for packet, rows in found.told:
            for row in rows:
                kind = plan.fleet[packet.device].kind if packet else kinds[row.device_id]
                assert of_kind[kind].pop(0) == row._replace(values=empty[kind] | row.values)


def differing(one: Path, other: Path) -> list[str]:
    """Files of two folders that are not the same, or are in one of them only."""
    assert any(one.iterdir())
    compared = filecmp.dircmp(one, other)
    _, mismatch, errors = filecmp.cmpfiles(one, other, compared.common, shallow=False)
    return [*mismatch, *errors, *compared.left_only, *compared.right_only]
