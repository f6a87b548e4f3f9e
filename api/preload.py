"""Which scripts a page needs, told with it: a browser would else find them import after import, ten rounds deep."""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

# Imports that a module has from its start; import() is for later.
IMPORT = re.compile(r'^(?:import|export)\s[^;"()]*"(\.{1,2}/[^"]+)"', re.MULTILINE)
# A line of views/table.js.
VIEW = re.compile(r'path: "/([\w-]*)([^"]*)".*?import\("\./([\w.]+)"\)')
START, TABLE = "main.js", "views/table.js"


@functools.lru_cache(maxsize=64)
def preload_link(folder: Path, page: str, within: bool) -> str:
    """The Link header of a page: each script of frame and view. within: something follows the page's name."""
    wanted = dict.fromkeys((*_closure(folder, START), *_view(folder, page, within)))
    return ", ".join(f"</assets/{path}>; rel=modulepreload" for path in wanted)


def _view(folder: Path, page: str, within: bool) -> Iterator[str]:
    for name, rest, script in VIEW.findall((folder / TABLE).read_text(encoding="utf-8")):
        if name == page and bool(rest) == within:
            yield from _closure(folder, f"views/{script}")


def _closure(folder: Path, script: str) -> Iterator[str]:
    """A script and whatever it needs, each once."""
    seen: set[str] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        yield path
        found = IMPORT.findall((folder / path).read_text(encoding="utf-8"))
        waiting.extend(posixpath.normpath(posixpath.join(posixpath.dirname(path), each)) for each in found)
