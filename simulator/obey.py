"""Devices of the city that do what they are told, and answer: one connection with one subscription for all of them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_json

from devices.commands import ArgsError, checked, command_of
from devices.kinds import KINDS
from devices.topics import command_topic, parse_other, result_topic
from runtime.log import get_logger
from runtime.mqtt_url import Broker
from simulator.mqtt.listen import Listener
from simulator.plan import Plan

log = get_logger(__name__)

WINDOW = 100
# Ids that are remembered, so that what is told twice is done once.
REMEMBERED = 10_000
BROKEN = "the driver does not answer"


class Order(BaseModel):
    """A command as it comes. expires: epoch ms."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    args: dict[str, Any] = {}
    expires: float


class Answer(NamedTuple):
    topic: str
    payload: bytes


class Devices:
    """What the devices of a plan do with what they are told. at_ms: how far the plan has come."""

    def __init__(self, plan: Plan, at_ms: Callable[[], int], wall: Callable[[], float] = time.time) -> None:
        self._plan, self._at_ms, self._wall = plan, at_ms, wall
        self._number = {device.id: number for number, device in enumerate(plan.fleet)}
        self._answered: OrderedDict[str, Answer] = OrderedDict()

    def hear(self, topic: str, payload: bytes) -> Answer | None:
        """Obey, once, and say so as often as it is told; None of what is no command to one of ours."""
        parsed = parse_other(topic)
        if parsed is None or parsed[1] != "command" or parsed[0].device_id not in self._number:
            return None
        try:
            order = Order.model_validate_json(payload)
        except ValidationError as wrong:
            log.warning("command.not_understood", topic=topic, error=str(wrong.errors()[0]["msg"]))
            return None
        if order.id not in self._answered:
            error = self._obey(self._number[parsed[0].device_id], order)
            told = {"id": order.id, "ok": error is None, "ts": round(self._wall() * 1000)}
            said: Mapping[str, Any] = told if error is None else told | {"error": error}
            self._answered[order.id] = Answer(result_topic(*parsed[0]), to_json(said))
            if len(self._answered) > REMEMBERED:
                self._answered.popitem(last=False)
        return self._answered[order.id]

    def _obey(self, number: int, order: Order) -> str | None:
        """Do it; why not, in words."""
        if order.expires <= self._wall() * 1000:
            return "expired"
        city, at_ms = self._plan.city, self._at_ms()
        try:
            args = checked(command_of(KINDS[self._plan.fleet[number].kind], order.name), order.args)
        except ArgsError as error:
            return str(error)
        match order.name:
            case "switch":
                done = city.switch(number, at_ms, args["state"])
            case "dim":
                done = city.dim(number, at_ms, args["level_pct"] / 100)
            case "interval":
                city.report_every(number, args["interval_s"])
                done = True
            case _:
                return f"{order.name} is not known here"
        event = "command.obeyed" if done else "command.not_possible"
        log.info(event, device=self._plan.fleet[number].id, name=order.name)
        return None if done else BROKEN


@asynccontextmanager
async def obeying(broker: Broker, client_id: str, plan: Plan, at_ms: Callable[[], int]) -> AsyncIterator[None]:
    """While the block runs, the plan's devices do what they are told."""
    devices, answers = Devices(plan, at_ms), asyncio.Queue[Answer](REMEMBERED)

    def heard(topic: str, payload: bytes) -> None:
        answer = devices.hear(topic, payload)
        if answer is not None and not answers.full():
            answers.put_nowait(answer)

    async def answer() -> None:
        while True:
            topic, payload = await answers.get()
            await listener.publish(topic, payload)

    regions = {device.region or plan.region for device in plan.fleet}
    listen_to = command_topic(regions.pop() if len(regions) == 1 else "+", "+")
    listener = Listener(broker, f"{client_id}-commands", WINDOW, listen_to, heard)
    tasks = [asyncio.create_task(listener.run()), asyncio.create_task(answer())]
    try:
        yield
    finally:
        listener.leave()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
