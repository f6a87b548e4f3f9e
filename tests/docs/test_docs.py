"""What the documents say is there, and what is there is in the documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from alerts.rule import shipped
from api.app import AREAS
from devices.batch import QuarantineReason
from devices.kind import DIAGNOSTICS
from devices.kinds import KINDS
from runtime.settings import Settings, describe
from simulator import plan, scenario
from simulator.faults import CATALOGUE
from simulator.faults.fault import Fault
from simulator.replay import Row, fleet, rows
from simulator.replay_map import read_map
from simulator.truth import folder as truth

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
# Parameters that the page describes once for all faults; hours is told of each.
COMMON = {*Fault.model_fields, "fault", "per_day", "hours"}
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_metric_is_documented_with_unit_and_range() -> None:
    kinds = text("kinds.md")
    for kind in KINDS.values():
        section = kinds.split(f"## `{kind.name}`")[1].split("\n## ")[0]
        for metric in kind.metrics.values():
            (line,) = [line for line in section.splitlines() if line.startswith(f"| `{metric.name}`")]
            for part in (
                metric.unit,
                f"{metric.low:g} … {metric.high:g}",
                metric.rollup,
                metric.label.id,
                metric.label.en,
            ):
                assert part in line, f"{metric.name}: {part}"
        for attribute in kind.attributes.model_fields:
            assert f"`{attribute}`" in section


def test_every_quarantine_reason_and_diagnostic_is_documented() -> None:
    wire = text("wire.md")
    for reason in get_args(QuarantineReason):
        assert f"| `{reason}` |" in wire
    for name in DIAGNOSTICS:
        assert f"`{name}`" in wire


def test_every_rule_is_documented() -> None:
    rules = text("rules.md")
    for rule in shipped():
        assert f"| `{rule.id}` |" in rules


def test_every_address_is_documented() -> None:
    api = text("api.md")
    for area in AREAS:
        for endpoint in area.ENDPOINTS:
            if endpoint.include_in_schema:
                assert endpoint.path.removeprefix("/api/v1") in api, endpoint.path


def test_settings_named_in_documents_exist() -> None:
    known = {each.env for each in describe(Settings())}
    for page in DOCS:
        for name in re.findall(r"SIAGA_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8")):
            assert name in known or name.startswith(("SIAGA_BROKER", "SIAGA_TEST")), f"{page.name}: {name}"


def test_every_setting_says_unit_and_meaning() -> None:
    for each in describe(Settings()):
        assert each.unit
        assert len(each.text) > 10, each.env


def test_every_scenario_and_every_fault_is_documented() -> None:
    page = text("scenarios.md")
    for name in scenario.shipped():
        assert f"| `{name}` |" in page
    for fault in CATALOGUE:
        (line,) = [
            line for line in page.splitlines() if line.startswith(f"| `{fault.model_fields['fault'].default}` |")
        ]
        for parameter in fault.model_fields.keys() - COMMON:
            assert f"`{parameter}`" in line, f"{fault.__name__}: {parameter}"


def test_the_scenario_of_the_page_can_be_played() -> None:
    (written,) = re.findall(r"```toml\n(.*?)```", text("scenarios.md"), re.DOTALL)
    told = scenario.parse(written, "scenarios.md")
    assert plan.plan("page", told, 1).end_ms > 0


def test_the_worked_replay_gives_what_the_page_says(tmp_path: Path) -> None:
    page = text("simulator.md")
    (recorded,) = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    written = next(block for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "hitung-" in block)
    (tmp_path / "hitungan.csv").write_text(recorded, encoding="utf-8")
    (tmp_path / "hitungan.toml").write_text(written, encoding="utf-8")
    told = read_map(tmp_path / "hitungan.toml")
    found = list(rows(tmp_path / "hitungan.csv", told))
    assert all(isinstance(row, Row) for row in found)
    assert [(row.device_id, row.fields.get("count"), row.fields.get("speed_kmh")) for row in found] == [
        ("hitung-simpang-kota-arah-masuk", 112, 34.439962),
        ("hitung-simpang-kota-arah-masuk", 131, None),
        ("hitung-simpang-kota-arah-keluar", 87, 40.072666),
    ]
    assert len(fleet(tmp_path / "hitungan.csv", told)) == 2


def test_every_truth_file_and_column_is_documented() -> None:
    page = text("scenarios.md")
    for name in (truth.SUMMARY, truth.FLEET, truth.ALERTS, truth.UNSURE, *truth.FIXED):
        assert f"`{name}`" in page, name
