"""docs/settings.md, docs/metrics.md and docs/log-events.md list what there is, as the code has it.

SIAGA_TEST_SETTINGS=1 writes the tables of the first two anew; the third is written by hand, and so are the values of
labels.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

import pytest
from annotated_types import Ge, Le
from prometheus_client import REGISTRY as DEFAULT
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from api.metrics import REGISTRY as API
from devices.batch import QuarantineReason
from ingest.hear import Outcome as Heard
from ingest.metrics import REGISTRY as INGEST
from runtime.settings import PREFIX, Settings, describe
from storage.kind_tables import STEPS
from storage.ledger import OUTCOMES
from worker.metrics import REGISTRY as WORKER

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
WRITE = bool(os.environ.get("SIAGA_TEST_SETTINGS"))
PACKAGES = ("alerts", "api", "devices", "ingest", "runtime", "siaga", "simulator", "storage", "worker")
PROCESSES = {"Ingest": INGEST, "Worker": WORKER, "API": API}

# -- settings: a comment in a class of them begins a section, and pydantic keeps none --------------------------------

SECTION = re.compile(r"    # (\w.*)")
FIELD = re.compile(r"    (\w+): .*= setting\(")
NAMES = {"api": "API"}


def test_the_page_of_settings_is_what_the_code_says() -> None:
    same("settings.md", "settings", settings())


def settings() -> str:
    told = {each.env: each for each in describe(Settings())}
    found = sections("".join(map(inspect.getsource, reversed(Settings.__bases__))))
    assert [name for names in found.values() for name in names] == list(Settings.model_fields)
    out = []
    for title, names in found.items():
        rows = []
        for name in names:
            each = told[PREFIX + name.upper()]
            default = f"`{each.default}`" if each.default else "–"
            rows.append((f"`{each.env}`", default, each.unit, span(name), marked(each.text)))
        out.append(f"## {title}\n\n{table(('setting', 'default', 'unit', 'range', 'what it does'), rows)}")
    return "\n".join(out)


def sections(source: str) -> dict[str, list[str]]:
    """Names of settings by what the comment above them says; a section may go on in the next class."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in source.splitlines():
        if comment := SECTION.fullmatch(line):
            title = comment[1].split(" (")[0]
            title = NAMES.get(title, title[0].upper() + title[1:])
        elif field := FIELD.match(line):
            found.setdefault(title, []).append(field[1])
    return found


def span(name: str) -> str:
    limits = Settings.model_fields[name].metadata
    low = [str(each.ge) for each in limits if isinstance(each, Ge)]
    high = [str(each.le) for each in limits if isinstance(each, Le)]
    return " … ".join(low + high)


def marked(text: str) -> str:
    """Names and addresses in a text as they are typed, pages as links."""
    text = re.sub(r"\bdocs/([\w-]+)\.md", r"[\1](\1.md)", text)
    return re.sub(r"\bSIAGA_\w+|\b\w+://[^\s,;)]*", r"`\g<0>`", text)


# -- metrics ---------------------------------------------------------------------------------------------------------


class Shown(NamedTuple):
    name: str
    type: str
    labels: tuple[str, ...]
    text: str


def test_the_page_of_metrics_is_what_the_code_says() -> None:
    same("metrics.md", "metrics", metrics())


def metrics() -> str:
    head = ("metric", "type", "labels", "what it is")
    out = []
    for process, registry in PROCESSES.items():
        rows = [
            (f"`{each.name}`", each.type, ", ".join(f"`{label}`" for label in each.labels), marked(each.text))
            for each in declared(registry)
        ]
        out.append(f"## {process}\n\n{table(head, rows)}")
    (of_all,) = {
        tuple((f"`{name}`", kind, text) for name, kind, text in of_the_process(registry))
        for registry in PROCESSES.values()
    }
    out.append(f"## Each of the three\n\n{table(('metric', 'type', 'what it is'), of_all)}")
    return "\n".join(out)


def declared(registry: CollectorRegistry) -> list[Shown]:
    """What a process declares itself, by name."""
    found = []
    for each in registry._collector_to_names:
        if isinstance(each, MetricWrapperBase):
            (family,) = each.describe()
            name = exposed(family.name, family.type)
            found.append(Shown(name, family.type, tuple(each._labelnames), family.documentation))
    return sorted(found)


def of_the_process(registry: CollectorRegistry) -> list[tuple[str, str, str]]:
    """What a library adds: how the operating system sees the process."""
    ours = {each.name for each in declared(registry)}
    found = {(exposed(each.name, each.type), each.type, each.documentation) for each in registry.collect()}
    return sorted(each for each in found if each[0] not in ours)


def exposed(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name


def test_no_metric_is_anywhere_else() -> None:
    makes = re.compile(r"\nfrom prometheus_client import .*\b(?:Counter|Gauge|Histogram|Summary|Info|Enum)\b")
    files = {str(file.relative_to(ROOT)) for file in sources() if makes.search(file.read_text(encoding="utf-8"))}
    assert files == {"api/metrics.py", "ingest/metrics.py", "worker/metrics.py"}
    assert not [family.name for family in DEFAULT.collect() if family.name.startswith("siaga")]


def test_the_values_of_every_label_are_told() -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8").split("<!-- /metrics -->")[1]
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    labels = [
        (each.name, label) for registry in PROCESSES.values() for each in declared(registry) for label in each.labels
    ]
    assert sorted((metric, label) for metric, label, _ in rows) == sorted(labels)
    told = {(metric, label): values for metric, label, values in rows}
    for metric, label, values in (
        ("siaga_ingest_quarantined_total", "reason", get_args(QuarantineReason)),
        ("siaga_ingest_readings_total", "outcome", OUTCOMES),
        ("siaga_ingest_said_total", "outcome", get_args(Heard)),
        ("siaga_worker_retention_held", "level", STEPS),
    ):
        assert set(re.findall(r"`(\w+)`", told[metric, label])) == set(values), metric


# -- log events ------------------------------------------------------------------------------------------------------

LEVELS = {
    "debug": "debug", "info": "info", "warning": "warning", "error": "error", "critical": "critical",
    "exception": "error",
}  # fmt: skip
GROUPS = {"ingest": "Ingest", "worker": "Worker", "api": "API", "simulator": "Simulator"}
SHARED = "Shared"
ROW = re.compile(r"^\| `([^`]+)` \| ([a-z, ]+) \| ([^|]+) \| (.+) \|$")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_every_event_is_on_the_page_with_its_level_and_no_other_is() -> None:
    said = {
        (GROUPS.get(file.relative_to(ROOT).parts[0], SHARED), event, level)
        for file in sources()
        for event, level in events(file.read_text(encoding="utf-8"))
    }
    listed = {(group, event, level) for group, event, levels, _ in listing() for level in levels}
    assert sorted(said - listed) == []
    assert sorted(listed - said) == []


def test_events_are_in_order_and_a_warning_says_what_to_do() -> None:
    rows = list(listing())
    for group in {each[0] for each in rows}:
        names = [event for of, event, _, _ in rows if of == group]
        assert names == sorted(set(names)), group
    for _, event, levels, text in rows:
        if levels & {"warning", "error", "critical"}:
            assert len(re.findall(r"\.(?: |$)", text)) > 1, event


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('log.info("a.b", x=1)', {("a.b", "info")}),
        ('log.exception("a.b")', {("a.b", "error")}),
        ('event = "a.b" if x else "a.c"\n    log.info(event)', {("a.b", "info"), ("a.c", "info")}),
        ('say = log.info if x else log.debug\n    say("a.b")', {("a.b", "info"), ("a.b", "debug")}),
        ('tell("a.b", 1)\ndef tell(event, y):\n    log.error(event, y=y)', {("a.b", "error")}),
        ('x.tell("a.b")\ndef tell(self, event):\n    log.error(event)', {("a.b", "error")}),
    ],
)
def test_it_finds_events_however_they_are_said(body: str, found: set[tuple[str, str]]) -> None:
    assert set(events(f"log = get_logger(__name__)\ndef f(x):\n    {body}\n")) == found


@pytest.mark.parametrize("body", ['log.info(f"a.{x}")', "log.info(x)", "g(log)", "say = [log.info]\n    say[0](x)"])
def test_it_refuses_what_it_cannot_follow(body: str) -> None:
    with pytest.raises(AssertionError):
        list(events(f"log = get_logger(__name__)\ndef f(x):\n    {body}\n"))


def listing() -> Iterator[tuple[str, str, set[str], str]]:
    """Group, event, levels and text of each row of the page."""
    group = ""
    for line in (DOCS / "log-events.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            group = line.removeprefix("## ")
        elif row := ROW.match(line):
            yield group, row[1], set(row[2].split(", ")), row[4]
        else:
            assert not line.startswith("| `") or "." not in line.split("`")[1], line


def events(source: str) -> Iterator[tuple[str, str]]:
    """Every event that a module logs, with its level. What cannot be followed is an error, so nothing is missed."""
    tree = ast.parse(source)
    loggers = _loggers(tree)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in loggers:
            said = parents[node]
            assert isinstance(said, ast.Attribute), f"line {node.lineno}: a logger is handed on"
            assert said.attr in LEVELS, f"line {node.lineno}: .{said.attr}"
            function = _enclosing(said, parents)
            for call in _calls(said, function, parents):
                for event in _texts(call.args[0], function, tree):
                    yield event, LEVELS[said.attr]


def _loggers(tree: ast.Module) -> set[str]:
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _name(node.value.func) == "get_logger"
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _calls(said: ast.Attribute, function: Function, parents: dict[ast.AST, ast.AST]) -> list[ast.Call]:
    """Where this method is called: here, or by the name that it is given here."""
    above = parents[said]
    if isinstance(above, ast.Call) and above.func is said:
        return [above]
    if isinstance(above, ast.IfExp):
        above = parents[above]
    assert isinstance(above, ast.Assign), f"line {said.lineno}: a method of the logger is handed on"
    names = {target.id for target in above.targets if isinstance(target, ast.Name)}
    found = [node for node in ast.walk(function) if isinstance(node, ast.Call) and _plain(node.func) in names]
    assert found, f"line {said.lineno}: nobody calls it"
    return found


def _texts(value: ast.expr, function: Function, tree: ast.Module) -> list[str]:
    """What an argument may be."""
    if isinstance(value, ast.Constant):
        return [str(value.value)]
    if isinstance(value, ast.IfExp):
        return [*_texts(value.body, function, tree), *_texts(value.orelse, function, tree)]
    assert isinstance(value, ast.Name), f"line {value.lineno}: no name of an event: {ast.unparse(value)}"
    given = [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and any(_plain(target) == value.id for target in node.targets)
    ]
    if not given:
        given = _handed(value.id, function, tree)
    assert given, f"line {value.lineno}: nobody says what {value.id} is"
    return [text for each in given for text in _texts(each, function, tree)]


def _handed(parameter: str, function: Function, tree: ast.Module) -> list[ast.expr]:
    """What callers in the module hand to a function as this parameter."""
    names = [each.arg for each in function.args.args if each.arg != "self"]
    if parameter not in names:
        return []
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == function.name]
    named = [word.value for call in calls for word in call.keywords if word.arg == parameter]
    number = names.index(parameter)
    return [*named, *(call.args[number] for call in calls if len(call.args) > number)]


def _enclosing(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Function:
    while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node = parents[node]
    return node


def _plain(node: ast.AST) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _name(node: ast.AST) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else _plain(node)


# -- pages -----------------------------------------------------------------------------------------------------------


def same(page: str, what: str, text: str) -> None:
    """The page has this between its marks; it is written there where that is asked for."""
    file, begin, end = DOCS / page, f"<!-- {what} -->\n\n", f"\n<!-- /{what} -->"
    before, rest = file.read_text(encoding="utf-8").split(begin)
    there, after = rest.split(end)
    if WRITE:
        file.write_text(f"{before}{begin}{text}{end}{after}", encoding="utf-8")
    else:
        assert there == text, f"docs/{page} is another: run it with SIAGA_TEST_SETTINGS=1"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([_row(head), "|" + "---|" * len(head), *map(_row, rows), ""])


def _row(cells: Iterable[str]) -> str:
    whole = " | ".join(cell.replace("|", r"\|") for cell in cells)
    return f"| {whole} |".replace("|  |", "| |")


def sources() -> list[Path]:
    return [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
