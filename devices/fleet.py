"""The registered devices as the hot path wants them: numbered, with their attributes as columns.

A device keeps its number for the life of the process, so per-device arrays stay valid when the fleet changes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from devices.device import Device
from devices.kind import Floats


class Fleet:
    """Devices by number. Immutable: `updated` gives the next one."""

    def __init__(self, devices: Iterable[Device] = ()) -> None:
        self.devices: tuple[Device, ...] = tuple(devices)
        self.ids: tuple[str, ...] = tuple(device.id for device in self.devices)
        self.number: dict[str, int] = {device_id: number for number, device_id in enumerate(self.ids)}
        self._columns: dict[str, Floats] = {}
        # Topics that were found to be right, by device number: at most one a device, so it stays bounded.
        self.senders: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.devices)

    def get(self, device_id: str) -> Device | None:
        found = self.number.get(device_id)
        return None if found is None else self.devices[found]

    def updated(self, changed: Iterable[Device]) -> Fleet:
        """A fleet in which changed devices replace their former selves and new ones follow at the end."""
        devices = list(self.devices)
        number = dict(self.number)
        for device in changed:
            at = number.setdefault(device.id, len(devices))
            if at == len(devices):
                devices.append(device)
            else:
                devices[at] = device
        return Fleet(devices)

    def attribute(self, name: str) -> Floats:
        """A numeric attribute of every device, by number; NaN where a device has none. lat and lon count too."""
        column = self._columns.get(name)
        if column is None:
            column = np.array([_number(device, name) for device in self.devices], dtype=np.float64)
            self._columns[name] = column
        return column


def _number(device: Device, name: str) -> float:
    value = getattr(device, name) if name in ("lat", "lon") else device.attributes.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
