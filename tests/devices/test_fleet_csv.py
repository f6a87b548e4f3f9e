"""The fleet file: good rows come in, every bad field comes back with the row number that a spreadsheet shows."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.device import Device, check
from devices.fleet_csv import Parsed, read_csv, write_csv


def read(text: str) -> Parsed:
    return read_csv(io.StringIO(text, newline=""))


def written(*devices: Device) -> str:
    file = io.StringIO(newline="")
    write_csv(file, devices)
    return file.getvalue()


def told(parsed: Parsed) -> list[tuple[int, str]]:
    return [(error.row, error.field) for error in parsed.errors]


def test_id_and_kind_are_enough() -> None:
    parsed = read("id,kind\npju-1,streetlight\nwl-1,water_level\n")
    assert parsed == Parsed(
        [Device("pju-1", "streetlight"), Device("wl-1", "water_level", attributes={"official": False})], []
    )


def test_all_columns_in_any_order_with_attributes() -> None:
    parsed = read(
        "nominal_w,lon,lat,district,region,name,kind,id\n90,99.6,2.9,12.09.19,12.09,Lampu 1,streetlight,pju-1\n"
    )
    assert parsed.errors == []
    assert parsed.devices == [
        Device("pju-1", "streetlight", "Lampu 1", "12.09", "12.09.19", 2.9, 99.6, {"nominal_w": 90.0})
    ]


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_byte_order_mark_and_line_endings_do_not_matter(start: str, ending: str) -> None:
    lines = ["id,kind,name", "pju-1,streetlight,Lampu", ""]
    assert read(start + ending.join(lines)).devices == [Device("pju-1", "streetlight", "Lampu")]


def test_blanks_around_cells_and_names_of_columns_do_not_count() -> None:
    parsed = read('id , kind, name\n pju-1 , streetlight, " Lampu 1 "\n')
    assert parsed == Parsed([Device("pju-1", "streetlight", "Lampu 1")], [])


def test_empty_cells_count_as_absent() -> None:
    parsed = read("id,kind,name,region,lat,lon,nominal_w\npju-1,streetlight,,,,,\npju-2,streetlight, , ,,,90\n")
    assert parsed.errors == []
    assert parsed.devices == [
        Device("pju-1", "streetlight"),
        Device("pju-2", "streetlight", attributes={"nominal_w": 90.0}),
    ]


def test_another_kinds_attributes_may_stand_in_the_header() -> None:
    parsed = read("id,kind,nominal_w,siaga_3_m\npju-1,streetlight,90,\nwl-1,water_level,,2.5\n")
    assert parsed.errors == []
    assert parsed.devices[1].attributes == {"siaga_3_m": 2.5, "official": False}


def test_another_kinds_attribute_may_not_have_a_value() -> None:
    assert told(read("id,kind,siaga_3_m\npju-1,streetlight,2.5\n")) == [(2, "siaga_3_m")]


def test_missing_cells_at_the_end_are_empty() -> None:
    assert read("id,kind,name,region\npju-1,streetlight\n").devices == [Device("pju-1", "streetlight")]


class TestHeader:
    @pytest.mark.parametrize(
        ("text", "fields"),
        [("", ["id", "kind"]), ("name\nx\n", ["id", "kind"]), ("id,name\n", ["kind"]), ("kind\nstreetlight\n", ["id"])],
    )
    def test_without_id_or_kind_nothing_is_read(self, text: str, fields: list[str]) -> None:
        parsed = read(text)
        assert parsed.devices == []
        assert told(parsed) == [(1, field) for field in fields]

    def test_a_column_given_twice_is_not_guessed_at(self) -> None:
        parsed = read("id,kind,name,name\npju-1,streetlight,a,b\n")
        assert (parsed.devices, told(parsed)) == ([], [(1, "name")])

    def test_semicolons_are_named_as_what_is_wrong(self) -> None:
        parsed = read("id;kind;name\npju-1;streetlight;Lampu\n")
        assert told(parsed) == [(1, "row")]
        assert "semicolon" in parsed.errors[0].message

    def test_only_a_header_is_an_empty_fleet(self) -> None:
        assert read("id,kind\n") == Parsed([], [])


class TestErrors:
    def test_bad_rows_do_not_harm_good_ones(self) -> None:
        parsed = read("id,kind\npju-1,streetlight\npju 2,streetlight\npju-3,lamp\npju-4,streetlight\n")
        assert [d.id for d in parsed.devices] == ["pju-1", "pju-4"]
        assert told(parsed) == [(3, "id"), (4, "kind")]

    def test_all_errors_of_a_row_are_reported(self) -> None:
        head = "id,kind,name,region,district,lat,lon,nominal_w,feeder\n"
        parsed = read(head + f"a b,streetlight,{'x' * 201},9,8,north,east,-1,{'y' * 65},more\n")
        assert set(told(parsed)) == {
            (2, field) for field in ("id", "name", "region", "district", "lat", "lon", "nominal_w", "feeder", "row")
        }

    @pytest.mark.parametrize("text", ["2,98", "N2.98", "2°58'", "two"])
    @pytest.mark.parametrize("column", ["lat", "lon"])
    def test_a_wrong_number_is_that_cells_error_alone(self, column: str, text: str) -> None:
        other = "lon" if column == "lat" else "lat"
        parsed = read(f'id,kind,{column},{other}\npju-1,streetlight,"{text}",9.5\n')
        assert told(parsed) == [(2, column)]
        assert repr(text) in parsed.errors[0].message

    @pytest.mark.parametrize("text", ["91", "nan", "inf", "-1e9"])
    def test_a_coordinate_out_of_range(self, text: str) -> None:
        assert told(read(f"id,kind,lat,lon\npju-1,streetlight,{text},99\n")) == [(2, "lat")]

    def test_one_coordinate_alone(self) -> None:
        assert told(read("id,kind,lat,lon\npju-1,streetlight,2.9,\n")) == [(2, "lat")]

    def test_a_cell_beyond_the_header(self) -> None:
        parsed = read("id,kind\npju-1,streetlight,90\npju-2,streetlight,,\n")
        assert told(parsed) == [(2, "row")]
        assert "'90'" in parsed.errors[0].message
        assert [d.id for d in parsed.devices] == ["pju-2"], "empty cells beyond the header say nothing"

    def test_a_cell_under_a_column_without_a_name(self) -> None:
        assert told(read("id,kind,\npju-1,streetlight,90\n")) == [(2, "row")]

    def test_an_id_counts_once(self) -> None:
        parsed = read("id,kind\npju-1,streetlight\npju-2,streetlight\npju-1,traffic\npju-1,streetlight\n")
        assert [d.kind for d in parsed.devices] == ["streetlight", "streetlight"]
        assert told(parsed) == [(4, "id"), (5, "id")]
        assert all("row 2" in error.message for error in parsed.errors)

    def test_an_id_whose_first_row_is_bad_counts_too(self) -> None:
        parsed = read("id,kind\npju-1,lamp\npju-1,streetlight\n")
        assert (parsed.devices, told(parsed)) == ([], [(2, "kind"), (3, "id")])

    def test_a_row_without_an_id_is_no_duplicate_of_another(self) -> None:
        assert told(read("id,kind\n,streetlight\n,streetlight\n")) == [(2, "id"), (3, "id")]

    def test_a_duplicate_with_other_errors_tells_them_all(self) -> None:
        assert told(read("id,kind\npju-1,streetlight\npju-1,lamp\n")) == [(3, "kind"), (3, "id")]


class TestRowNumbers:
    def test_the_header_is_row_1(self) -> None:
        assert told(read("id,kind\n!,streetlight\n")) == [(2, "id")]

    def test_a_line_feed_in_quotes_begins_no_row(self) -> None:
        parsed = read(
            'id,kind,name\npju-1,streetlight,"two\nlines"\npju-2,streetlight,"three\r\nlines\n!"\n!,streetlight,\n'
        )
        assert told(parsed) == [(4, "id")]
        assert [d.name for d in parsed.devices] == ["two\nlines", "three\r\nlines\n!"]

    def test_a_line_feed_in_the_header_begins_no_row(self) -> None:
        assert told(read('id,kind,"name\n"\n!,streetlight,x\n')) == [(2, "id")]

    def test_empty_lines_are_rows(self) -> None:
        parsed = read("id,kind\n\n,\n!,streetlight\n\npju-1,streetlight\n")
        assert told(parsed) == [(4, "id")]
        assert [d.id for d in parsed.devices] == ["pju-1"]


class TestNoCsv:
    def test_a_cell_of_a_megabyte_is_an_error_and_not_an_exception(self) -> None:
        parsed = read(f"id,kind,name\npju-1,streetlight,{'x' * 1_000_000}\npju-2,streetlight,y\n")
        assert told(parsed)[0] == (2, "row")

    def test_so_is_a_header_of_a_megabyte(self) -> None:
        assert told(read("x" * 1_000_000)) == [(1, "row")]

    @given(st.text(max_size=200))
    def test_no_text_raises(self, text: str) -> None:
        read(text)

    @given(st.text(st.sampled_from('pjulw-1,"\n\r ;\x00streetlight'), max_size=120))
    def test_no_rows_raise(self, rows: str) -> None:
        read("id,kind,name\n" + rows)


words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20)
stripped = words.map(str.strip).filter(bool)  # blanks around a cell are not kept
ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
places = st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180))
attributes = {
    "streetlight": st.fixed_dictionaries({}, optional={"nominal_w": st.floats(0.5, 1000), "feeder": stripped}),
    "water_level": st.fixed_dictionaries(
        {"official": st.booleans()}, optional={"siaga_3_m": st.floats(-50, 100), "river": stripped}
    ),
    "traffic": st.fixed_dictionaries({}, optional={"lane": st.integers(1, 20), "site": stripped}),
}


@st.composite
def fleets(draw: st.DrawFn) -> list[Device]:
    made = []
    for device_id in draw(st.lists(ids, max_size=5, unique=True)):
        kind = draw(st.sampled_from(sorted(attributes)))
        lat, lon = draw(places) or (None, None)
        region, name = draw(st.none() | st.just("12.09")), draw(st.none() | stripped)
        made.append(check(Device(device_id, kind, name, region, None, lat, lon, draw(attributes[kind]))))
    assert all(isinstance(device, Device) for device in made)
    return made  # type: ignore[return-value]


@given(fleets())
def test_what_is_written_is_read_back(fleet: list[Device]) -> None:
    assert read(written(*fleet)) == Parsed(fleet, [])


@pytest.mark.parametrize("name", ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", "a;b", "'a", "=1+1", "é", "“a”"])
def test_whatever_a_name_holds_is_read_back(name: str) -> None:
    fleet = [Device("a", "streetlight", name), Device("b", "streetlight", "plain")]
    assert read(written(*fleet)) == Parsed(fleet, [])


def test_the_header_of_a_written_file() -> None:
    fleet = [Device("a", "streetlight", attributes={"nominal_w": 90.0}), Device("b", "traffic", attributes={"lane": 2})]
    assert written(*fleet).splitlines() == [
        "id,kind,name,region,district,lat,lon,nominal_w,lane",
        "a,streetlight,,,,,,90.0,",
        "b,traffic,,,,,,,2",
    ]
