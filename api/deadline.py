"""How long a request may take until its answer begins; what has begun (CSV, ZIP, live events) may take longer."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.problem_types import TOO_SLOW
from api.problems import Problem, respond


class Deadline:
    """Answers 503 for a handler that has not begun to answer in time, and ends it: its query is cancelled with it.

    A body that comes too slowly ends the same way."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False
        try:
            async with asyncio.timeout(self.seconds) as limit:

                async def send_begun(message: Message) -> None:
                    nonlocal begun
                    if not begun:
                        begun = True
                        limit.reschedule(None)
                    await send(message)

                await self.app(scope, receive, send_begun)
        except TimeoutError:
            if not limit.expired() or begun:  # another's timeout
                raise
            metrics.TIMEOUTS.inc()
            await respond(self._too_slow())(scope, receive, send)

    def _too_slow(self) -> Problem:
        return Problem(
            TOO_SLOW,
            f"no answer within {self.seconds:g} s (SIAGA_REQUEST_TIMEOUT_S); ask for less at once, or send faster",
        )
