"""The table of docs/reliability.md, from the outcomes that docs/reliability.json keeps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from tests.failure.faults import FAULTS
from tests.failure.judge import may_lose
from tests.failure.trial import Outcome
from tests.failure.world import BROKERS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, KEPT = DOCS / "reliability.md", DOCS / "reliability.json"
BEGIN, END = "<!-- table: python -m tests.failure.matrix --table -->\n", "<!-- end of table -->\n"
# What cannot be tried with the others, by broker.
UNLIMITED = "no limit is set: memory and disk are it"
DROPS = "not set in our files; where it is: acknowledges, drops the newest, the ledger names them"
SNAPSHOT = "not tested; at least what came since its last write, 5 s"
NOT_RUN = {
    "store of the broker full": {
        "nats": "refuses, devices keep (`test_full_broker.py`)",
        "mosquitto21": UNLIMITED,
        "mosquitto21-default": UNLIMITED,
        "mosquitto20": UNLIMITED,
    },
    "more waits than `max_queued_messages`": {
        "nats": "has none such",
        "mosquitto21": DROPS,
        "mosquitto21-default": DROPS,
        "mosquitto20": f"{DROPS} (`test_dropping_broker.py`)",
    },
    "power cut": {
        "nats": "not tested; `sync_interval` says up to 2 s, `always` nothing",
        "mosquitto21": "not tested; `plugin_opt_sync` says `normal`: since the last checkpoint, `full`: as if killed",
        "mosquitto21-default": SNAPSHOT,
        "mosquitto20": SNAPSHOT,
    },
}


def cells(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], Outcome]:
    """By fault and broker."""
    return {(each.fault, each.broker): each for each in outcomes}


def read() -> list[Outcome]:
    return [Outcome(**each) for each in json.loads(KEPT.read_text(encoding="utf-8"))]


def write(outcomes: Iterable[Outcome]) -> None:
    """Keep the outcomes, beside those of cells that were not run again, and write the table into the page."""
    found = cells(read()) if KEPT.exists() else {}
    found |= cells(outcomes)
    ordered = [found[fault, broker] for fault in FAULTS for broker in BROKERS if (fault, broker) in found]
    lines = ",\n".join(json.dumps(asdict(each)) for each in ordered)
    KEPT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}{rendered(found)}{END}{after}", encoding="utf-8")


def rendered(found: Mapping[tuple[str, str], Outcome]) -> str:
    """As Markdown."""
    rows = [["", *(broker.title for broker in BROKERS.values())], ["---"] * (1 + len(BROKERS))]
    rows += [[told.title, *(_cell(found.get((fault, broker))) for broker in BROKERS)] for fault, told in FAULTS.items()]
    rows += [[fault, *(words[broker] for broker in BROKERS)] for fault, words in NOT_RUN.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not run"
    forgets = may_lose(outcome.broker, outcome.fault)
    if forgets is None:
        kept = "keeps all"
    else:
        named = "" if not outcome.lost else f", {outcome.named:,} of them named"
        kept = f"**may lose** the last {forgets.removesuffix('s')} s; lost {outcome.lost:,}{named}"
    return f"{kept}; {outcome.again:,} again; {outcome.pause_s:.0f} s"
