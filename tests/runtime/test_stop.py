"""The stop signal: the first sets the event, a second one ends the process at once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from runtime.stop import sleep_until, stop_event

BOTH = (signal.SIGTERM, signal.SIGINT)
LONG_S = 3600.0


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in BOTH}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", BOTH)
async def test_a_signal_sets_the_event(number: signal.Signals) -> None:
    stop = stop_event()
    assert not stop.is_set()
    os.kill(os.getpid(), number)
    assert await sleep_until(stop, LONG_S)
    assert stop.is_set()


@pytest.mark.parametrize("number", BOTH)
async def test_after_the_first_signal_both_have_their_default_again(number: signal.Signals) -> None:
    """Ctrl-C after a SIGTERM that hangs must end the process, whichever came first."""
    stop = stop_event()
    os.kill(os.getpid(), number)
    await stop.wait()
    assert [signal.getsignal(each) for each in BOTH] == [signal.SIG_DFL, signal.SIG_DFL]


STUBBORN = """
import asyncio
from runtime.stop import stop_event

async def main():
    stop = stop_event()
    print("ready", flush=True)
    await stop.wait()
    print("stopping", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("first", BOTH)
@pytest.mark.parametrize("second", BOTH)
def test_a_second_signal_ends_a_process_that_hangs(first: signal.Signals, second: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(first)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(second)
        assert process.wait(60) == -second


async def test_sleeping_ends_with_the_time_when_nobody_stops() -> None:
    assert not await sleep_until(asyncio.Event(), 0)


async def test_sleeping_ends_at_once_when_stopped_before() -> None:
    stop = asyncio.Event()
    stop.set()
    assert await sleep_until(stop, LONG_S)
