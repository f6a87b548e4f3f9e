"""Alerts of the city, acted on by somebody else meanwhile."""

from __future__ import annotations

from contextlib import suppress

from siaga.client import Alert, ApiError
from tests.stack import Stack


def unacked(stack: Stack) -> list[Alert]:
    with stack.client() as client:
        return [alert for alert in client.alerts() if not alert.acked]


def acknowledge_all(stack: Stack) -> None:
    with stack.client() as client:
        for alert in unacked(stack):
            with suppress(ApiError):  # it has changed or ended meanwhile
                client.acknowledge(alert.id)


def open_again(stack: Stack) -> list[Alert]:
    """Alerts that nobody looks after; where somebody does of all, they no longer do."""
    if not unacked(stack):
        with stack.client() as client:
            for alert in client.alerts():
                with suppress(ApiError):
                    client.unacknowledge(alert.id, "uji")
    return unacked(stack)
