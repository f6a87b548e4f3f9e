"""`make bench`, or `python -m bench [NAME …]`."""

from __future__ import annotations

import argparse

from bench import generate, ingest, publish
from bench.measure import keep

BENCHMARKS = {"generate": generate.run, "ingest": ingest.run, "publish": publish.run}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which ones; all when none is named")
    for name in parser.parse_args().names or BENCHMARKS:
        keep(BENCHMARKS[name]())


if __name__ == "__main__":
    main()
