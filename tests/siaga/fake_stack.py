"""A supervisor with small parts, in a process of its own: it adopts and reaps whatever child there is.

python tests/siaga/fake_stack.py FOLDER, the parts by stages as JSON on standard input. A part is a shell script; it is
ready once it has made FOLDER/<name>.ready, or at once where it says so.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from siaga.stack import processes, supervisor  # noqa: E402
from siaga.stack.console import complain, say  # noqa: E402
from siaga.stack.folder import claim, write_json  # noqa: E402
from siaga.stack.part import Part  # noqa: E402
from siaga.stack.signals import Signals  # noqa: E402
from siaga.stack.supervisor import StartError, StopAskedError, Supervisor  # noqa: E402


class Board:
    """Writes what the part table would say to a file, one line a call."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def write(self, rows: dict[str, tuple[str, str]]) -> bool:
        with self.file.open("a") as file:
            file.writelines(json.dumps([name, *row]) + "\n" for name, row in rows.items())
        return True

    def forget(self, names: list[str]) -> None:
        self.write(dict.fromkeys(names, ("forgotten", "")))

    def close(self) -> None:
        pass


def part(root: Path, stage: int, asked: dict[str, Any]) -> Part:
    name = asked.pop("name")
    ready_file = root / f"{name}.ready"

    def ready() -> str | None:
        return f"{name} works" if at_once or ready_file.exists() else None

    at_once = asked.pop("at_once", False)
    env = {**os.environ, processes.MARK: str(root), "HERE": str(root), "NAME": name}
    asked["stop_signal"] = signal.Signals[asked.get("stop_signal", "SIGTERM")]
    return Part(name, stage, ("/bin/sh", "-c", asked.pop("script")), env, ready, **asked)


def main(root: Path) -> int:
    asked = json.load(sys.stdin)
    for name, value in asked.get("constants", {}).items():
        assert hasattr(supervisor, name)
        setattr(supervisor, name, value)
    folder = claim(root)
    pids = root / "pids.json"
    running = Supervisor(
        folder, Signals(), Board(root / "board.jsonl"), lambda: write_json(pids, {"pids": running.pids})
    )  # type: ignore[arg-type]
    try:
        for script in asked.get("once", []):
            say(
                "said: "
                + " / ".join(
                    running.run_once(
                        "once", ("/bin/sh", "-c", script), part(root, 0, {"name": "once", "script": ""}).env
                    )
                )
            )
        for stage, listed in enumerate(asked.get("stages", [])):
            running.start([part(root, stage, one) for one in listed])
        say("Running")
        running.run()
    except StopAskedError:
        pass
    except StartError as error:
        complain(str(error))
        return 1
    finally:
        running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
