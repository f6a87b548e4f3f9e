"""What differs between flavours has one home; nobody else speaks of hypertables, chunks or partitions to the server."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("alerts", "api", "devices", "ingest", "runtime", "siaga", "simulator", "storage", "worker")
# Besides the home: what TimescaleDB asks for when it is dumped and restored, and the way from one flavour to another.
HOME = {"storage/flavour.py", "storage/backup.py", "storage/move.py"}
SQL = re.compile(
    r"timescaledb\.\w|timescaledb_(info|pre|post)|_timescaledb|hypertable|drop_chunks|show_chunks|chunk_time|run_job|columnstore"
    r"|PARTITION (BY RANGE|OF)|(ATTACH|DETACH) PARTITION|pg_inherits|pg_partition",
    re.IGNORECASE,
)


def texts(tree: ast.AST) -> set[str]:
    """String literals, without docstrings."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    }


def test_the_differences_between_flavours_live_in_one_module() -> None:
    found = {}
    for path in (each for part in PARTS for each in (ROOT / part).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name not in HOME and (spoken := {text for text in texts(ast.parse(path.read_text())) if SQL.search(text)}):
            found[name] = spoken
    assert found == {}


def test_fixed_tables_are_the_same_everywhere() -> None:
    for path in (ROOT / "storage/migrations").rglob("*.sql"):
        assert not SQL.search(path.read_text()), path
