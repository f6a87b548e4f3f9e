"""Where notices go: a channel of the plan is one Apprise URL. Nothing here lets a secret of such a URL out."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import apprise

from alerts.notice_plan import Channel as Planned
from alerts.notice_plan import Plan
from runtime.log import get_logger

log = get_logger(__name__)

Weight = Literal["failure", "warning", "success"]
Found = TypeVar("Found")

SEND_S = 60.0
STATUS = re.compile(r"\berror=(\d{3})\b")
# 4xx will be refused again, but for: timed out, too early, too many.
NOT_PERMANENT = (408, 425, 429)
SECRET_LENGTH = 6
# Apprise logs whole URLs, with their secrets. Here ends what it says; why a notice was refused is in the answer too.
APPRISE_LOG = logging.getLogger("apprise")
APPRISE_LOG.addHandler(logging.NullHandler())
APPRISE_LOG.propagate = False


class Channel(NamedTuple):
    """name is that of the plan; url is the secret."""

    name: str
    url: str


class Refused(NamedTuple):
    """Why a channel did not take a notice. Of what we do not understand we assume that it passes."""

    error: str
    permanent: bool


def address(plan: Plan, name: str) -> Channel | Refused:
    """The channel of this name with its URL, read now; or why it has none, which another try does not change."""
    planned = plan.channel(name)
    if planned is None:
        return Refused(f"channel {name}: is not in the plan any more", True)
    url = _url(planned)
    if isinstance(url, Refused):
        return url
    if apprise.Apprise.instantiate(url) is None:
        return Refused(f"channel {name}: {planned.source}: Apprise does not know such a URL", True)
    return Channel(name, url)


def wrong(plan: Plan) -> list[str]:
    """What is wrong with the channels of a plan here and now, a line each."""
    found = [address(plan, each.name) for each in plan.channels]
    return [each.error for each in found if isinstance(each, Refused)]


def check(plan: Plan) -> None:
    """Log what is wrong with channels."""
    for line in wrong(plan):
        log.error("channel.refused", why=line)


def _url(planned: Planned) -> str | Refused:
    name = f"channel {planned.name}"
    if planned.url is not None:
        return planned.url.get_secret_value()
    if planned.url_env is not None:
        url = os.environ.get(planned.url_env, "").strip()
        return url or Refused(f"{name}: url_env: {planned.url_env} is not set", True)
    try:
        return Path(planned.url_file or "").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text in UTF-8"
        return Refused(f"{name}: url_file: {planned.url_file}: {why}", True)


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
