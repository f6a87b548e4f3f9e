"""Schemathesis against a running API: every operation, every check of its own and the one in contract_checks.py.

Left out is `GET /stream`, whose answer has no end; tests/api/test_stream.py is about it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

CHECKS = Path(__file__).with_name("contract_checks.py")
STREAM = "/api/v1/stream"
# What a schema cannot say is not wrong data. 412 and 428 are about what somebody else did meanwhile, or may have done.
CONFIG = """
[checks]
enabled = true

[checks.positive_data_acceptance]
enabled = false

[checks.missing_required_header]
expected-statuses = ["4xx"]

[checks.negative_data_rejection]
expected-statuses = ["4xx"]

# A reading that is none goes to quarantine: accepted, told, and not lost.
[[operations]]
include-operation-id = "post_readings"
checks.negative_data_rejection.enabled = false

# Any text is a CSV; with skip_bad lines that are none are told, and skipped.
[[operations]]
include-operation-id = "import_devices"
checks.negative_data_rejection.enabled = false
"""
FOUND = re.compile(r"(\d+) generated(?:, (\d+) found (\d+) unique failures?)?")


class Outcome(NamedTuple):
    """What was tried and what failed; said is the whole report."""

    cases: int
    failures: int
    code: int
    said: str

    @property
    def is_good(self) -> bool:
        return self.code == 0 and not self.failures and self.cases > 0


def check(folder: Path, url: str, key: str, examples: int, *, workers: int = 1, seed: int | None = None) -> Outcome:
    """Try about so many examples of each operation; stateful runs follow the document's links."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG, encoding="utf-8")
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color", "run",
        f"{url}/openapi.json", "--url", url, "--header", f"Authorization: Bearer {key}", "--exclude-path", STREAM,
        "--max-examples", str(examples),
        "--workers", str(workers), "--request-timeout", "60", "--continue-on-failure", "--no-shrink",
        "--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off",
        *(("--seed", str(seed)) if seed is not None else ()),
    ]  # fmt: skip
    env = os.environ | {"SCHEMATHESIS_HOOKS": CHECKS.stem, "PYTHONPATH": str(CHECKS.parent)}
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    said = ran.stdout + ran.stderr
    found = FOUND.search(said)
    cases, failures = (int(found[1]), int(found[3] or 0)) if found else (0, 0)
    return Outcome(cases, failures, ran.returncode, said)
