"""The publisher's Wire: PUBACKs are cut out of each read, many at a time."""

from __future__ import annotations

from collections.abc import Callable

from runtime.mqtt_url import Broker
from runtime.mqtt_wire import Cut, Wire
from simulator.mqtt.packets import cut_pubacks, is_half_puback


class AckWire(Wire):
    """on_pubacks is told the packet ids as they are cut out."""

    def __init__(self, broker: Broker, client_id: str, on_pubacks: Callable[[tuple[int, ...]], None]) -> None:
        super().__init__(broker, client_id)
        self._on_pubacks = on_pubacks

    def cut(self, data: bytes, at: int) -> Cut:
        head = data[at:]
        ids, used = cut_pubacks(head)
        if used:
            self._on_pubacks(ids)
        return Cut(at + used, 1 if is_half_puback(head[used:]) else 0)
