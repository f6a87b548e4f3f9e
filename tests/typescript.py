"""The dashboard's types, checked by TypeScript from npm; nothing is built. axe-core comes the same way.

python -m tests.typescript            fetches them, once; part of `make setup`
python -m tests.typescript --check    checks the dashboard; part of `make check`
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.npm import find_node, install

HERE = Path(__file__).parent / "javascript"
TSC = HERE / "node_modules" / "typescript" / "bin" / "tsc"
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
CURE = "run `python -m tests.typescript`, with npm installed"
CHECK_S = 300


def main(arguments: list[str]) -> int:
    """0 once it is there, or with --check when the types are right."""
    if "--check" not in arguments:
        return install(HERE, "the dashboard's types cannot be checked, nor its accessibility")
    node = find_node()
    if node is None or not TSC.exists():
        print(f"the dashboard's types cannot be checked: {CURE}", file=sys.stderr)
        return 1
    return subprocess.run([node, str(TSC), "--project", str(HERE)], check=False, timeout=CHECK_S).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
