"""deploy/prometheus: read by its own tool, each alert tried, each metric one of ours, each alert in the runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from api.metrics import REGISTRY as API
from ingest.metrics import REGISTRY as INGEST
from tests.servers import missing
from tests.stack import ROOT
from worker.metrics import REGISTRY as WORKER

FOLDER = ROOT / "deploy" / "prometheus"
RULES = FOLDER / "siaga.rules.yml"
ALERTS = re.findall(r"^ *- alert: (\w+)$", RULES.read_text(encoding="utf-8"), re.MULTILINE)


def promtool(*arguments: str | Path) -> str:
    program = shutil.which("promtool")
    if program is None:
        missing("promtool", "apt-get install prometheus")
    done = subprocess.run([program or "", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_files_are_read() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "config", FOLDER / "prometheus.yml")


def test_each_alert_comes_when_it_must_and_not_before(tmp_path: Path) -> None:
    tests = (Path(__file__).with_name("siaga.rules.test.yml")).read_text(encoding="utf-8")
    assert {name for name in ALERTS if f"alertname: {name}\n" in tests} == set(ALERTS)
    file = tmp_path / "test.yml"
    file.write_text(tests.replace("RULES", str(RULES)), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", file)


def test_each_metric_is_one_of_ours() -> None:
    used = set(re.findall(r"\bsiaga_\w+", RULES.read_text(encoding="utf-8")))
    assert used
    assert used <= {name for registry in (API, INGEST, WORKER) for name in names(registry)}


def names(registry: CollectorRegistry) -> set[str]:
    families = list(registry.collect())
    return {family.name for family in families} | {f"{each.name}_total" for each in families if each.type == "counter"}


@pytest.mark.parametrize("name", ALERTS)
def test_the_runbook_says_what_to_do(name: str) -> None:
    assert f"\n### {name}\n" in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
