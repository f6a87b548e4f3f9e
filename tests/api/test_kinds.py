"""Kinds as clients see them: everything a page or a vendor needs to show a reading, and no kind half described."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from api import shapes
from devices.diagnostics import WORDS
from devices.kind import DIAGNOSTICS
from devices.kinds import KINDS
from storage.read_metrics import AGGREGATES


@pytest.fixture
async def listed(viewer: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await viewer.get("/api/v1/kinds")
    assert answer.status_code == 200
    shapes.Kinds.model_validate_json(answer.content)
    assert answer.json()["next_cursor"] is None
    return {kind["kind"]: kind for kind in answer.json()["items"]}


async def test_every_kind_is_there_with_its_primary_metric(listed: dict[str, dict[str, Any]]) -> None:
    assert list(listed) == list(KINDS)
    for kind in listed.values():
        names = [metric["name"] for metric in kind["metrics"]]
        assert kind["primary"] in names
        assert len(names) == len(set(names))
        assert kind["interval_s"] > 0


async def test_every_text_is_there_in_both_languages(listed: dict[str, dict[str, Any]]) -> None:
    for kind in listed.values():
        for label in (kind["label"], *(m["label"] for m in (*kind["metrics"], *kind["diagnostics"]))):
            assert label["id"].strip()
            assert label["en"].strip()


async def test_every_metric_can_be_drawn_and_asked_for(listed: dict[str, dict[str, Any]]) -> None:
    for kind in listed.values():
        for metric in kind["metrics"]:
            assert metric["low"] < metric["high"]
            assert 0 <= metric["decimals"] <= 4
            assert metric["unit"]
            assert AGGREGATES[metric["rollup"]]


async def test_numbers_of_readings_are_all_described(listed: dict[str, dict[str, Any]]) -> None:
    for name, kind in listed.items():
        described = {item["name"] for item in (*kind["metrics"], *kind["diagnostics"])}
        assert described == set(KINDS[name].numbers)


def test_every_diagnostic_has_words() -> None:
    assert tuple(WORDS) == DIAGNOSTICS


async def test_attributes_say_what_they_take(listed: dict[str, dict[str, Any]]) -> None:
    for name, kind in listed.items():
        for attribute in kind["attributes"]:
            assert attribute["type"] in ("string", "number", "integer", "boolean"), (name, attribute)
            # The declaration takes what the type says; bounds are another matter.
            example = {"string": "2026-01-01", "number": 0.5, "integer": 1, "boolean": True}[attribute["type"]]
            try:
                KINDS[name].attributes.model_validate({attribute["name"]: example})
            except ValidationError as error:
                wrong = [e for e in error.errors() if e["loc"][:1] == (attribute["name"],)]
                assert not any(e["type"].endswith(("_type", "_parsing")) for e in wrong), (name, attribute)
