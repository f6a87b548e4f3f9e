"""Every number of the OpenAPI document says its unit, and every answer has an example that its schema takes."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from api import units

JSON = "application/json"


def test_every_number_has_a_unit_or_says_where_it_stands(app: Any) -> None:
    found = list(units.numbers(app.state.document()))
    assert len(found) > 250
    for schema, name, field in found:
        if units.is_code(name) or units.HERE.get((schema, name), "") is None:
            assert "x-unit" not in field, f"{schema}.{name} measures nothing"
        else:
            assert field.get("x-unit") or "unit" in field["description"], f"{schema}.{name}: api/units.py"


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("level_m", "m"), ("slope_m_h", "m/h"), ("drift_s_per_day", "s/d"), ("interval_s", "s"), ("lat", "deg"),
        ("removed_share", "1"), ("alerts", "1"), ("rate", "m/h"), ("value", None), ("window_id", None),
        ("peak_severity", None), ("brightness", None),
    ],
)  # fmt: skip
def test_names_tell_the_unit(name: str, unit: str | None) -> None:
    assert units.unit_of(name) == unit


def test_a_number_of_an_unknown_name_is_noticed() -> None:
    schema: dict[str, Any] = {"properties": {"brightness": {"anyOf": [{"type": "number"}, {"type": "null"}]}}}
    document: dict[str, Any] = {"components": {"schemas": {"Lamp": schema}}, "paths": {}}
    units.add(document)
    ((where, name, field),) = units.numbers(document)
    assert (where, name) == ("Lamp", "brightness")
    assert field.keys() == {"anyOf"}


def test_no_name_is_said_twice() -> None:
    tables = [units.NAMES.keys(), units.SHARES, units.COUNTS, units.CODES, units.ELSEWHERE.keys()]
    assert sum(map(len, tables)) == len(set().union(*tables))


def test_every_answer_has_an_example_that_its_schema_takes(app: Any) -> None:
    document = app.state.document()
    tried = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for code, response in operation["responses"].items():
                content = response.get("content", {}).get(JSON)
                if content is None or not code.startswith("2"):
                    continue
                schema = content["schema"] | {"components": document["components"]}
                validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
                errors = [error.message for error in validator.iter_errors(content["example"])]
                assert not errors, f"{method} {path}: {errors}"
                tried += 1
    assert tried > 50


def test_schemas_are_called_what_they_are(app: Any) -> None:
    """Two classes of one name would carry their modules in theirs, and so would every client made from the document."""
    assert [name for name in app.state.document()["components"]["schemas"] if "__" in name] == []


def test_bounds_of_what_is_sent_are_said(app: Any) -> None:
    """A validator before them would keep them out of the schema."""
    schemas = app.state.document()["components"]["schemas"]
    for name, field, bound in (
        ("NewCredential", "days", "maximum"), ("NewKey", "days", "minimum"), ("NewCommand", "timeout_s", "minimum"),
        ("AlertAndVersion", "version", "maximum"),
    ):  # fmt: skip
        (number,) = [each for each in schemas[name]["properties"][field]["anyOf"] if each["type"] == "integer"]
        assert bound in number, (name, field)
