"""A simulated lamp is told over the API, obeys over MQTT, and its next readings show it."""

from __future__ import annotations

from typing import Any

import pytest

from siaga.client import Client
from tests.stack import Stack, until

pytestmark = pytest.mark.slow


def ended(client: Client, command: dict[str, Any]) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        (now,) = client.items("/commands", batch=command["batch"])
        return now if now["ended_at"] else None

    return until(found, f"{command['name']} has ended")  # type: ignore[return-value]


def of_kind(client: Client, kind: str) -> list[str]:
    """Devices that have reported: the simulator listens by then."""
    return until(lambda: [each.device_id for each in client.latest(kind=kind)], f"a {kind} has reported")


def tell(client: Client, device: str, name: str, args: dict[str, Any]) -> dict[str, Any]:
    return ended(client, client.ask("POST", f"/devices/{device}/commands", json={"name": name, "args": args}))


def test_a_lamp_is_dimmed_and_its_readings_show_it(stack: Stack) -> None:
    """Whatever the hour: on by day as by night. A lamp that is broken says so; another one is asked."""
    with stack.client() as client:
        lamps = of_kind(client, "streetlight")
        lamp = next(each for each in lamps if tell(client, each, "switch", {"state": "on"})["state"] == "done")
        done = tell(client, lamp, "dim", {"level_pct": 35})
        assert (done["state"], done["error"]) == ("done", None)
        assert done["made_at"] <= done["sent_at"] <= done["ended_at"]

        def dimmed() -> bool:
            (latest,) = client.latest(device=lamp)
            return latest.values["dimming_pct"] == 35 and 0 < (latest.values["power_w"] or 0) < 100

        until(dimmed, "a reading at 35 %")
        assert tell(client, lamp, "switch", {"state": "auto"})["state"] == "done"


def test_the_command_line_waits_for_the_answer(stack: Stack) -> None:
    with stack.client() as client:
        gauge = of_kind(client, "water_level")[0]
    said = stack.run("device", "command", gauge, "interval", "interval_s=10")
    assert said.stdout.split()[0] in ("queued", "sent", "done")
    assert said.stdout.split()[-1] == "done"
