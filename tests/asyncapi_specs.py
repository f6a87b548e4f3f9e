"""The JSON Schema of AsyncAPI 3.0, published on npm: what our document of the MQTT side is held to.

python -m tests.asyncapi_specs     fetches it, once; part of `make setup`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from devices.asyncapi import ASYNCAPI
from tests.npm import install
from tests.servers import missing

HERE = Path(__file__).parent / "asyncapi"
SCHEMA = HERE / "node_modules" / "@asyncapi" / "specs" / "schemas" / f"{ASYNCAPI}.json"
CURE = "run `python -m tests.asyncapi_specs`, with npm installed"


def schema() -> dict[str, Any]:
    """Skips, or in CI fails, where it was not fetched."""
    if not SCHEMA.exists():
        missing("the schema of AsyncAPI", CURE)
    found: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return found


def main() -> int:
    """0 once it is there, or where there is no npm to fetch it with."""
    return install(HERE, "the AsyncAPI document will not be checked")


if __name__ == "__main__":
    sys.exit(main())
