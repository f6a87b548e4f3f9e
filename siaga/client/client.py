"""The HTTP API as methods, in the words of docs/api.md; each area of it is a file.

Synchronous only: scripts, commands and tests are, and a service that is not has asyncio.to_thread. Threads may share a
client. What comes in pages is an iterator that asks for the next page when it is needed; `limit` is the size of a page.
"""

from __future__ import annotations

from siaga.client.alerts import AlertCalls
from siaga.client.commands import CommandCalls
from siaga.client.devices import DeviceCalls
from siaga.client.ledger import LedgerCalls
from siaga.client.live import LiveCalls
from siaga.client.quarantine import QuarantineCalls
from siaga.client.readings import ReadingCalls
from siaga.client.rules import RuleCalls


class Client(
    DeviceCalls, CommandCalls, ReadingCalls, AlertCalls, LiveCalls, QuarantineCalls, LedgerCalls, RuleCalls
):  # fmt: skip
    """Siaga's API with a key. All of it raises ApiError where the API refuses and UnreachableError where it is not."""
