"""docs/reliability.md has the outcomes of every fault on every broker, and each of them keeps what is promised."""

from __future__ import annotations

from tests.failure import table
from tests.failure.faults import FAULTS
from tests.failure.judge import broken, may_lose
from tests.failure.world import BROKERS


def test_the_page_has_what_was_found() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    written = page.split(table.BEGIN)[1].split(table.END)[0]
    found = table.cells(table.read())
    assert found.keys() == {(fault, broker) for fault in FAULTS for broker in BROKERS}
    assert written == table.rendered(found)


def test_every_outcome_of_the_page_keeps_its_promise() -> None:
    for outcome in table.read():
        assert list(broken(outcome)) == []
        assert outcome.lost == 0 or may_lose(outcome.broker, outcome.fault)


def test_every_broker_and_its_configuration_is_on_the_page() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    for broker in BROKERS.values():
        assert broker.title.split(",")[0] in page
    for file in (*table.DOCS.parent.glob("deploy/*/*.conf"),):
        assert f"`{file.relative_to(table.DOCS.parent)}`" in page
