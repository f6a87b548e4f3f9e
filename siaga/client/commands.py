"""What devices are told, and what becomes of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from siaga.client.answers import Time, read
from siaga.client.plain import JSON, Plain
from siaga.client.values import Value, as_body, part

ENDED = frozenset(("done", "failed", "expired"))


@dataclass(frozen=True, slots=True)
class Command:
    """state: queued, sent (the broker has it), done, failed (error: why not), expired (nobody answered in time)."""

    id: str
    batch: str
    device_id: str
    name: str
    args: Mapping[str, Value]
    state: str
    who: str
    reason: str | None
    made_at: Time
    expires_at: Time
    sent_at: Time | None
    ended_at: Time | None
    error: str | None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


class CommandCalls(Plain):
    """Commands of devices (docs/commands.md)."""

    def tell(
        self,
        device_id: str,
        name: str,
        args: Mapping[str, Value] | None = None,
        *,
        timeout_s: int | None = None,
        reason: str | None = None,
        key: str | None = None,
    ) -> Command:
        """Tell a device something; it is queued then. key: under it this is asked for once, however often it is sent;
        without one it gets a key of its own, so that trying again here is safe."""
        headers = JSON | {"Idempotency-Key": key or uuid.uuid4().hex}
        body = as_body({"name": name, "args": dict(args or {}), "timeout_s": timeout_s, "reason": reason})
        path = f"/devices/{part(device_id)}/commands"
        return read(Command, self._wire.ask("POST", path, None, body, headers, may_repeat=True))

    def commands(
        self,
        *,
        device: str | None = None,
        batch: str | None = None,
        state: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Command]:
        """What was asked for, newest first."""
        query = {"device": device, "batch": batch, "state": state, "limit": limit}
        return map(partial(read, Command), self.items("/commands", **query))
