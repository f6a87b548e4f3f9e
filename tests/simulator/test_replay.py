"""Replaying somebody's file: what the map says of it, row by row, and nothing dropped in silence."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import simulator
from alerts.ladder import siaga
from devices.device import Device
from simulator.replay import Refused, Row, fleet, rows, slug
from simulator.replay_map import MapError, ReplayMap, read_map

JAKARTA_MAP = Path(simulator.__path__[0]) / "maps" / "jakarta_tma.toml"

MAP = """
region = "31"
kind = "water_level"

[device]
column = "post"
template = "wl-{slug}"

[ts]
column = "time"
format = "%d/%m/%Y %H:%M"

[metrics]
level_m = { column = "cm", scale = 0.01 }
rain_mm = { column = "rain", offset = -1 }

[place]
lat = "y"
lon = "x"

[attributes]
river = { column = "river" }
datum = "nol setempat"

[[devices]]
match = "P.A. Karet"
id = "wl-karet"
name = "Karet"
district = "31.71"
attributes = { siaga_3_m = 4.5 }
"""
HEADER = "post,river,time,cm,rain,y,x,note\n"
GOOD = "P.A. Karet,Ciliwung,01/01/2020 07:30,450,1,-6.2,106.81,x\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def plan(folder: Path, text: str = MAP) -> ReplayMap:
    path = folder / "map.toml"
    path.write_text(text, "utf-8")
    return read_map(path)


def recorded(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "file.csv"
    path.write_bytes(text.encode(encoding))
    return path


def read(folder: Path, text: str, map_text: str = MAP) -> list[Row | Refused]:
    return list(rows(recorded(folder, text), plan(folder, map_text)))


def why(folder: Path, text: str, map_text: str = MAP) -> str:
    (found,) = read(folder, text, map_text)
    assert isinstance(found, Refused)
    assert found.line == 2
    return found.why


class TestRows:
    def test_a_row_is_a_message_with_scaled_values(self, folder: Path) -> None:
        (row,) = read(folder, HEADER + GOOD)
        assert isinstance(row, Row)
        assert (row.line, row.device_id) == (2, "wl-karet")
        assert row.fields == {"ts": row.ts, "level_m": 4.5, "rain_mm": 0.0}

    def test_times_without_a_zone_are_the_maps(self, folder: Path) -> None:
        (row,) = read(folder, HEADER + GOOD)
        assert row.ts == datetime(2020, 1, 1, 0, 30, tzinfo=UTC)
        eastern = MAP.replace('%H:%M"', '%H:%M"\nzone = "Asia/Jayapura"')
        (row,) = read(folder, HEADER + GOOD, eastern)
        assert row.ts == datetime(2019, 12, 31, 22, 30, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("form", "text"),
        [
            ("iso", "2020-01-01T07:30:00+07:00"),
            ("iso", "2020-01-01 00:30:00Z"),
            ("iso", "2020-01-01 07:30"),
            ("epoch_s", "1577838600"),
            ("epoch_ms", "1577838600000"),
            ("%Y-%m-%dT%H:%M:%S%z", "2020-01-01T07:30:00+0700"),
        ],
    )
    def test_forms_of_time(self, folder: Path, form: str, text: str) -> None:
        (row,) = read(folder, HEADER + GOOD.replace("01/01/2020 07:30", text), MAP.replace("%d/%m/%Y %H:%M", form))
        assert row.ts == datetime(2020, 1, 1, 0, 30, tzinfo=UTC)  # type: ignore[union-attr]

    def test_empty_cells_are_no_values(self, folder: Path) -> None:
        (row,) = read(folder, HEADER + "P.A. Karet,,01/01/2020 07:30, ,,,,\n")
        assert row.fields == {"ts": row.ts}  # type: ignore[union-attr]

    def test_blanks_around_cells_do_not_count(self, folder: Path) -> None:
        (row,) = read(folder, " post ,river,time , cm,rain,y,x,note\n  P.A. Karet  ,, 01/01/2020 07:30 , 450 ,,,,\n")
        assert row.fields["level_m"] == 4.5  # type: ignore[union-attr]

    def test_a_device_without_an_entry_gets_an_id_from_the_template(self, folder: Path) -> None:
        (row,) = read(folder, HEADER + GOOD.replace("P.A. Karet", "Pintu Air  Öst (2)"))
        assert row.device_id == "wl-pintu-air-st-2"  # type: ignore[union-attr]

    def test_order_and_duplicates_are_kept(self, folder: Path) -> None:
        earlier = GOOD.replace("07:30", "07:00")
        found = read(folder, HEADER + GOOD + GOOD + earlier)
        assert [row.line for row in found] == [2, 3, 4]
        assert [row.ts.minute for row in found if isinstance(row, Row)] == [30, 30, 0]

    def test_lines_are_those_of_the_file(self, folder: Path) -> None:
        found = read(folder, HEADER + GOOD.replace(",x\n", ',"two\nlines"\n') + GOOD)
        assert [row.line for row in found] == [3, 4]

    def test_other_delimiters_and_encodings(self, folder: Path) -> None:
        text = (HEADER + GOOD).replace(",", ";").replace("Ciliwung", "Ciliwüng")
        other = MAP.replace('kind = "water_level"', 'kind = "water_level"\ndelimiter = ";"\nencoding = "latin-1"')
        path = recorded(folder, text, "latin-1")
        (row,) = rows(path, plan(folder, other))
        assert isinstance(row, Row)
        assert fleet(path, plan(folder, other))[0].attributes["river"] == "Ciliwüng"

    def test_a_byte_order_mark_does_not_matter(self, folder: Path) -> None:
        (row,) = read(folder, "\ufeff" + HEADER + GOOD)
        assert isinstance(row, Row)

    def test_a_column_without_a_name_does_not_matter(self, folder: Path) -> None:
        """As pandas writes its index."""
        found = read(folder, "," + HEADER + "0," + GOOD + "1," + GOOD)
        assert [type(row) for row in found] == [Row, Row]


class TestRefused:
    def test_an_unknown_device(self, folder: Path) -> None:
        bare = MAP.replace('template = "wl-{slug}"\n', "")
        assert "'P.A. Depok'" in why(folder, HEADER + GOOD.replace("Karet", "Depok"), bare)

    @pytest.mark.parametrize("name", ["", "  ", "???", "x" * 70])
    def test_a_name_that_gives_no_id(self, folder: Path, name: str) -> None:
        assert why(folder, HEADER + GOOD.replace("P.A. Karet", name)).startswith("post: ")

    @pytest.mark.parametrize("text", ["", "2020-01-01", "32/01/2020 07:30", "01/01/2020 07:30:00"])
    def test_a_time_of_another_form(self, folder: Path, text: str) -> None:
        told = why(folder, HEADER + GOOD.replace("01/01/2020 07:30", text))
        assert told.startswith("time: ")
        assert "%d/%m/%Y %H:%M" in told

    @pytest.mark.parametrize("text", ["nan", "1e400", "-1e400", "99999999999999999999", "x"])
    @pytest.mark.parametrize("form", ["epoch_s", "epoch_ms"])
    def test_an_epoch_that_is_none(self, folder: Path, form: str, text: str) -> None:
        changed = MAP.replace("%d/%m/%Y %H:%M", form)
        assert why(folder, HEADER + GOOD.replace("01/01/2020 07:30", text), changed).startswith("time: ")

    @pytest.mark.parametrize("text", ['"4,50"', "4.5.0", "nan", "inf", "n/a", "-"])
    def test_a_number_that_is_none(self, folder: Path, text: str) -> None:
        told = why(folder, HEADER + GOOD.replace("450", text))
        assert told.startswith("cm: ")
        assert text.strip('"') in told

    @pytest.mark.parametrize(("row", "has"), [("P.A. Karet,Ciliwung\n", 2), (GOOD.replace("\n", ",1,2\n"), 10)])
    def test_too_few_or_too_many_cells(self, folder: Path, row: str, has: int) -> None:
        assert why(folder, HEADER + row) == f"{has} cells, the header has 8"

    def test_a_cell_of_a_megabyte(self, folder: Path) -> None:
        found = read(folder, HEADER + GOOD.replace(",x\n", f",{'x' * 1_000_000}\n") + GOOD)
        assert isinstance(found[0], Refused)
        assert isinstance(found[-1], Row), "the next row is read again"

    def test_bad_rows_do_not_harm_good_ones(self, folder: Path) -> None:
        found = read(folder, HEADER + GOOD + GOOD.replace("450", "?") + GOOD)
        assert [type(row) for row in found] == [Row, Refused, Row]


class TestFile:
    def test_a_missing_file(self, folder: Path) -> None:
        for ask in (rows, fleet):
            with pytest.raises(MapError, match=r"none\.csv: No such file"):
                list(ask(folder / "none.csv", plan(folder)))

    def test_missing_columns_are_named_beside_those_there(self, folder: Path) -> None:
        with pytest.raises(MapError, match=r"file\.csv: no column cm, rain; it has post, .*") as caught:
            read(folder, HEADER.replace("cm,rain,", "") + GOOD)
        assert "river" in str(caught.value)

    def test_an_empty_file(self, folder: Path) -> None:
        with pytest.raises(MapError, match="no column"):
            read(folder, "")


class TestFleet:
    def test_devices_are_those_of_the_file_with_what_map_and_row_say(self, folder: Path) -> None:
        text = (
            HEADER + GOOD + GOOD.replace("-6.2", "-6.9") + GOOD.replace("P.A. Karet", "Depok").replace("Ciliwung", "")
        )
        assert fleet(recorded(folder, text), plan(folder)) == [
            Device("wl-karet", "water_level", "Karet", "31", "31.71", -6.2, 106.81,
                   {"river": "Ciliwung", "siaga_3_m": 4.5, "datum": "nol setempat", "official": False}),
            Device("wl-depok", "water_level", "Depok", "31", None, -6.2, 106.81,
                   {"datum": "nol setempat", "official": False}),
        ]  # fmt: skip

    def test_a_place_in_the_map_goes_before_the_files(self, folder: Path) -> None:
        text = MAP.replace('district = "31.71"', "lat = -6.5\nlon = 106.5")
        (device,) = fleet(recorded(folder, HEADER + GOOD), plan(folder, text))
        assert (device.lat, device.lon) == (-6.5, 106.5)

    def test_rows_that_name_no_device_add_none(self, folder: Path) -> None:
        text = HEADER + "x\n" + GOOD.replace("P.A. Karet", "???")
        assert fleet(recorded(folder, text), plan(folder)) == []

    def test_a_device_that_no_registry_would_take_is_named_with_line_and_field(self, folder: Path) -> None:
        with pytest.raises(MapError, match=r"line 2: device wl-karet: lat: .*-90\.\.90"):
            fleet(recorded(folder, HEADER + GOOD.replace("-6.2", "-620")), plan(folder))


@pytest.mark.parametrize(
    ("name", "made"),
    [("P.A. Karet", "p-a-karet"), ("  --a__b  ", "a-b"), ("Jl. 5", "jl-5"), ("???", ""), ("ÖÄ", "")],
)
def test_slug(name: str, made: str) -> None:
    assert slug(name) == made


class TestMap:
    @pytest.mark.parametrize(
        ("before", "after", "told"),
        [
            ('region = "31"', 'region = "3"', ["region"]),
            ('region = "31"', 'region = "31\\n"', ["region"]),
            ('region = "31"', "", ["region", "required"]),
            ('kind = "water_level"', 'kind = "river"', ["'river'", "streetlight, traffic, water_level"]),
            ('column = "post"', "", ["device.column", "required"]),
            ('template = "wl-{slug}"', 'template = "wl {slug}"', ["device.template", "{slug}"]),
            ('template = "wl-{slug}"', 'templat = "wl"', ["device.templat"]),
            ('format = "%d/%m/%Y %H:%M"', 'zone = "Jakarta"', ["ts.zone", "Asia/Jakarta"]),
            ("level_m = {", "depth = {", ["depth", "distance_m", "level_m"]),
            ("scale = 0.01", 'scale = "cm"', ["metrics.level_m.scale", "number"]),
            ("scale = 0.01", "scale = nan", ["metrics.level_m.scale", "finite"]),
            ("scale = 0.01", "factor = 0.01", ["metrics.level_m.factor"]),
            ('lat = "y"', "", ["place.lat", "required"]),
            ('datum = "nol setempat"', 'colour = "blue"', ["'colour'", "sensor_to_datum_m"]),
            ('id = "wl-karet"', 'id = "wl karet"', ["devices.0.id"]),
            ('id = "wl-karet"', "", ["devices.0.id", "required"]),
            ('district = "31.71"', 'district = "3171"', ["devices.0.district"]),
            ("siaga_3_m = 4.5", "siaga = 4.5", ["'siaga'", "siaga_3_m"]),
            ('kind = "water_level"', 'kind = "water_level"\ndelimiter = ";;"', ["delimiter"]),
            ('kind = "water_level"', 'kind = "water_level"\nencoding = "utf-16"', ["encoding", "latin-1"]),
        ],
    )
    def test_a_wrong_field_is_named(self, folder: Path, before: str, after: str, told: list[str]) -> None:
        assert before in MAP
        with pytest.raises(MapError) as caught:
            plan(folder, MAP.replace(before, after))
        assert "map.toml: " in str(caught.value)
        for words in told:
            assert words in str(caught.value)

    @pytest.mark.parametrize(("field", "second"), [("match", 'id = "wl-2"'), ("id", 'match = "Depok"')])
    def test_a_device_listed_twice(self, folder: Path, field: str, second: str) -> None:
        same = {"match": 'match = "P.A. Karet"', "id": 'id = "wl-karet"'}[field]
        with pytest.raises(MapError, match=f"{field} .*is there twice"):
            plan(folder, f"{MAP}\n[[devices]]\n{same}\n{second}\n")

    def test_all_wrong_fields_are_told_at_once(self, folder: Path) -> None:
        with pytest.raises(MapError) as caught:
            plan(folder, MAP.replace("0.01", '"x"').replace('id = "wl-karet"', 'id = "?"'))
        assert len(str(caught.value).splitlines()) == 2

    def test_no_metrics(self, folder: Path) -> None:
        begin, rest = MAP.split("[metrics]")
        with pytest.raises(MapError, match="metrics"):
            plan(folder, begin + "[metrics]\n[place]" + rest.split("[place]")[1])

    def test_no_toml_and_no_file(self, folder: Path) -> None:
        with pytest.raises(MapError, match="not TOML"):
            plan(folder, "region = ")
        with pytest.raises(MapError, match="No such file"):
            read_map(folder / "none.toml")
        (folder / "binary.toml").write_bytes(b"\xff\xfe")
        with pytest.raises(MapError, match="not TOML"):
            read_map(folder / "binary.toml")

    def test_columns_are_all_that_are_read(self, folder: Path) -> None:
        assert plan(folder).columns == {"post", "time", "cm", "rain", "y", "x", "river"}


class TestJakarta:
    """The shipped map, and where SIAGA_TEST_JAKARTA_CSV names a copy, the recorded month itself."""

    def test_the_shipped_map_is_sound(self) -> None:
        shipped = read_map(JAKARTA_MAP)
        assert (shipped.region, shipped.kind, len(shipped.devices)) == ("31", "water_level", 21)
        assert sum("siaga_3_m" in entry.attributes for entry in shipped.devices) == 14

    def test_it_reads_a_row_of_the_feed(self, folder: Path) -> None:
        text = (
            "nama_pintu_air,lokasi,latitude,longitude,tanggal,tinggi_air,status_siaga\n"
            '"PS. Katulampa (Hulu) ",Ciliwung,-6.633167,106.836806,"2020-01-01 06:30:00",1700,"Status : Siaga 2"\n'
        )
        path, shipped = recorded(folder, text), read_map(JAKARTA_MAP)
        (row,) = rows(path, shipped)
        (device,) = fleet(path, shipped)
        assert isinstance(row, Row)
        assert (row.device_id, row.fields["level_m"]) == ("wl-katulampa", 1.7)
        assert row.ts == datetime(2019, 12, 31, 23, 30, tzinfo=UTC)
        assert siaga(row.fields["level_m"], device.attributes) == 2

    def test_the_month_and_its_official_labels(self) -> None:
        path = os.environ.get("SIAGA_TEST_JAKARTA_CSV")
        if not path:
            pytest.skip("SIAGA_TEST_JAKARTA_CSV names no copy of Jakarta's river telemetry of January 2020")
        shipped = read_map(JAKARTA_MAP)
        found = list(rows(Path(path), shipped))
        assert len(found) == 31_059
        assert not [row for row in found if isinstance(row, Refused)]
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            labels = [cells["status_siaga"] for cells in csv.DictReader(file)]
        distinct: dict[tuple[str, datetime], tuple[float, str]] = {}
        for row, label in zip(found, labels, strict=True):
            assert isinstance(row, Row)
            distinct.setdefault((row.device_id, row.ts), (row.fields["level_m"], label))
        assert len(distinct) == 22_112

        registered = {device.id: device.attributes for device in fleet(Path(path), shipped)}
        assert len(registered) == 21
        agreed: dict[bool, int] = defaultdict(int)
        for (device_id, _), (level, label) in distinct.items():
            if "siaga_3_m" in registered[device_id]:
                official = 4 if "Normal" in label else int(label[-1])
                agreed[siaga(level, registered[device_id]) == official] += 1
        assert dict(agreed) == {True: 16_498}


def test_values_are_rounded_to_a_micrometre(folder: Path) -> None:
    (row,) = read(folder, HEADER + GOOD.replace("450", "268.8"))
    assert row.fields["level_m"] == 2.688  # type: ignore[union-attr]


def test_a_whole_file_keeps_its_numbers(folder: Path) -> None:
    levels = np.random.default_rng(1).integers(-300, 900, 500)
    text = HEADER + "".join(GOOD.replace("450", str(level)) for level in levels)
    found: list[Any] = read(folder, text)
    np.testing.assert_allclose([row.fields["level_m"] for row in found], levels / 100)
