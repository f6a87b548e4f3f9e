"""Where notices go: one Apprise URL is one channel. Nothing here lets a secret of such a URL out."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar

import apprise

from runtime.log import get_logger

log = get_logger(__name__)

Weight = Literal["failure", "warning", "success"]
Found = TypeVar("Found")

SEND_S = 60.0
SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30})://")
STATUS = re.compile(r"\berror=(\d{3})\b")
# 4xx will be refused again, but for: timed out, too early, too many.
NOT_PERMANENT = (408, 425, 429)
SECRET_LENGTH = 6
# Apprise logs whole URLs, with their secrets. Here ends what it says; why a notice was refused is in the answer too.
APPRISE_LOG = logging.getLogger("apprise")
APPRISE_LOG.addHandler(logging.NullHandler())
APPRISE_LOG.propagate = False


class Channel(NamedTuple):
    """name has the place in SIAGA_NOTIFY_URLS and the kind of service, no more."""

    name: str
    url: str


class Refused(NamedTuple):
    """Why a channel did not take a notice. Of what we do not understand we assume that it passes."""

    error: str
    permanent: bool


def parse(urls: str | None) -> list[Channel]:
    """The channels of a setting. One that Apprise does not understand is left out, with a line in the log."""
    channels = []
    for number, url in enumerate((urls or "").split(), 1):
        scheme = SCHEME.match(url)
        name = f"{number} {scheme[1] if scheme else '?'}"
        if apprise.Apprise.instantiate(url) is None:
            log.error("channel.refused", channel=name, why="SIAGA_NOTIFY_URLS: Apprise does not know such a URL")
        else:
            channels.append(Channel(name, url))
    return channels


async def send(channel: Channel, title: str, body: str, weight: Weight) -> Refused | None:
    """Send a notice; None when the service took it."""
    try:
        async with asyncio.timeout(SEND_S):
            return await _in_thread(lambda: _send(channel, title, body, weight))
    except TimeoutError:
        return Refused(f"no answer within {SEND_S:.0f} s", False)


def _send(channel: Channel, title: str, body: str, weight: Weight) -> Refused | None:
    # Without these two Apprise sends in a pool of threads that hold up the end of the process.
    told = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False, service_timeout=0))
    told.add(channel.url)
    taken = told.notify(
        body=body, title=title, notify_type=apprise.NotifyType(weight), body_format=apprise.NotifyFormat.TEXT
    )
    if taken:
        return None
    error = " ".join(entry.message for entry in taken.logs()) or "refused without a reason"
    status = STATUS.search(error)
    permanent = status is not None and status[1].startswith("4") and int(status[1]) not in NOT_PERMANENT
    return Refused(without_secrets(error, channel.url), permanent)


def without_secrets(text: str, url: str) -> str:
    """The text without any longer piece of the URL, but for the kind of service."""
    _, _, rest = url.partition("://")
    for piece in sorted(re.split(r"[/:@?&=,]+", rest), key=len, reverse=True):
        if len(piece) >= SECRET_LENGTH:
            text = text.replace(piece, "***")
    return text


async def _in_thread(work: Callable[[], Found]) -> Found:
    """Like asyncio.to_thread, but a send that hangs does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Found] = loop.create_future()

    def tell(set_it: Callable[[Any], None], value: Any) -> None:
        if not done.done():
            set_it(value)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - handed on to whoever awaits
            loop.call_soon_threadsafe(tell, done.set_exception, error)
        else:
            loop.call_soon_threadsafe(tell, done.set_result, result)

    threading.Thread(target=run, daemon=True, name="send").start()
    return await done
