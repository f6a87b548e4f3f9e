"""Schemathesis over the live API with a city in it: every operation, all checks, stateful runs along the links.

It must end without a failure: no 5xx, and every answer as the OpenAPI document says.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.measure import keep_json
from tests.contract import check
from tests.stack import Stack

SETTINGS = {
    "SIAGA_RATE_ADDRESS_PER_MIN": "0", "SIAGA_RATE_KEY_PER_MIN": "0", "SIAGA_LOG_LEVEL": "WARNING",
    "SIAGA_DEVICE_KEY": "only-in-tests" * 4,
}  # fmt: skip
# The systematic phase alone makes some 40 cases of an operation; so few examples on top are enough to begin with.
EXAMPLES, AT_MOST = 10, 2_000
SCENARIOS = 400


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=10_000, help="at least; runs are repeated until there are as many")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="to repeat a run")


def run(asked: argparse.Namespace) -> int:
    cases = failures = rounds = 0
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as name:
        folder = Path(name)
        stack = Stack(folder / "stack", "--devices", str(asked.devices), "--history", "1d", settings=SETTINGS)
        try:
            stack.start()
            url, key, examples = stack.content["api_url"], stack.content["admin_key"], EXAMPLES
            while cases < asked.cases:
                seed = None if asked.seed is None else asked.seed + rounds
                outcome = check(folder, url, key, examples, SCENARIOS, seed=seed)
                cases, failures, rounds = cases + outcome.cases, failures + outcome.failures, rounds + 1
                print(
                    f"{outcome.cases:,} cases with {examples} examples each: {outcome.failures} failures, "
                    f"{len(outcome.done)} operations done, {outcome.links} links followed",
                    flush=True,
                )
                if not outcome.is_good:
                    print(outcome.said)
                    break
                examples = min(2 * examples, AT_MOST)
        finally:
            stack.close()
    print(f"{cases:,} cases, {failures} failures")
    print(f"written to {keep_json('schema', {'cases': cases, 'failures': failures, 'rounds': rounds})}")
    return 0 if failures == 0 and cases >= asked.cases else 1
