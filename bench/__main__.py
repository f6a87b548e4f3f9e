"""The benchmarks: `make bench`, or `python -m bench [NAME [OPTION …]]`; NAME --help tells the options.

Without a name: generate and publish, then ingest.
"""

from __future__ import annotations

import argparse
import signal
import sys

from bench import alerts, api, connections, export, fuzz, generate, growth, outage, page, publish, schema, soak, start
from bench.ingest import command as ingest
from bench.measure import keep
from bench.storage import command as storage

FIGURES = {"generate": generate, "publish": publish}
COMMANDS = {
    "ingest": ingest,
    "alerts": alerts,
    "api": api,
    "page": page,
    "connections": connections,
    "schema": schema,
    "start": start,
    "outage": outage,
    "soak": soak,
    "export": export,
    "fuzz": fuzz,
    "growth": growth,
    "storage": storage,
}


def main() -> int:
    # So that what was started is stopped: a client would go on for ever.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked = _parser().parse_args()
    if asked.name in COMMANDS:
        return int(COMMANDS[asked.name].run(asked))
    for name in [asked.name] if asked.name else FIGURES:
        keep(FIGURES[name].run())
    return 0 if asked.name else ingest.run(_parser().parse_args(["ingest"]))


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=form)
    names = parser.add_subparsers(dest="name", metavar="NAME")
    for name, module in {**FIGURES, **COMMANDS}.items():
        told = module.__doc__ or ""
        one = names.add_parser(name, help=told.splitlines()[0], description=told, formatter_class=form)
        if name in COMMANDS:
            COMMANDS[name].options(one)
    return parser


if __name__ == "__main__":
    sys.exit(main())
