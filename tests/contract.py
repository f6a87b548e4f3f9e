"""Schemathesis against a running API: every operation, every check of its own and the one in contract_checks.py.

Left out is `GET /stream`, whose answer has no end; tests/api/test_stream.py is about it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx

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

# Only the links that the document has: what is inferred also takes ids that are null.
[phases.stateful]
max-steps = 10
generation.max-examples = %(scenarios)d
[phases.stateful.inference]
algorithms = []

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
FOLLOWED = re.compile(r"API Links: +(\d+) covered")


class Outcome(NamedTuple):
    """What was tried and what failed; links: how many different ones were followed; done: operations that were done at
    least once (2xx); said is the whole report."""

    cases: int
    links: int
    done: frozenset[str]
    failures: int
    code: int
    said: str

    @property
    def is_good(self) -> bool:
        return self.code == 0 and not self.failures and self.cases > 0


def check(folder: Path, url: str, key: str, examples: int, scenarios: int, *, seed: int | None = None) -> Outcome:
    """Try about so many examples of each operation, and so many scenarios of ten steps along the document's links."""
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG % {"scenarios": scenarios}, encoding="utf-8")
    answered = folder / "answered"
    answered.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color", "run",
        f"{url}/openapi.json", "--url", url, "--header", f"Authorization: Bearer {key}", "--exclude-path", STREAM,
        "--max-examples", str(examples),
        "--request-timeout", "60", "--continue-on-failure", "--no-shrink",
        "--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off",
        *(("--seed", str(seed)) if seed is not None else ()),
    ]  # fmt: skip
    env = os.environ | {
        "SCHEMATHESIS_HOOKS": CHECKS.stem, "PYTHONPATH": str(CHECKS.parent),
        "SIAGA_CONTRACT_KEY": str(_furnish(url, key)), "SIAGA_CONTRACT_ANSWERED": str(answered),
    }  # fmt: skip
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    said = ran.stdout + ran.stderr
    found = FOUND.search(said)
    cases, failures = (int(found[1]), int(found[3] or 0)) if found else (0, 0)
    followed = FOLLOWED.search(said)
    pairs = [line.split() for line in answered.read_text(encoding="utf-8").splitlines()] if answered.exists() else []
    done = frozenset(operation for operation, status in pairs if status.startswith("2"))
    return Outcome(cases, int(followed[1]) if followed else 0, done, failures, ran.returncode, said)


def _furnish(url: str, key: str) -> int:
    """The id of our key. And what a new city has none of and links lead to: an entry in quarantine, a window, a
    handover, an alert on the shelf. (tests/api/test_links.py follows every link.)"""
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    with httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60) as api:

        def post(path: str, body: Any, **headers: str) -> None:
            answer = api.post(path, json=body, headers=headers)
            assert answer.is_success, answer.text

        post("/readings", [{"device": "nobody", "ts": datetime.now(UTC).isoformat(), "level_m": 1}])
        post("/windows", {"scope": "district", "name": "12.09.19", "to": later, "reason": "a test"})
        post("/handover", {"notes": "a test"})
        for alert in api.get("/alerts").json()["items"][-1:]:
            post(f"/alerts/{alert['id']}/shelve", {"reason": "a test", "until": later}, **{"If-Match": "*"})
        (own,) = [
            each["id"] for each in api.get("/keys").json()["items"] if each["name"] == api.get("/me").json()["name"]
        ]
        return int(own)
