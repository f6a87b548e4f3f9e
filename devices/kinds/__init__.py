"""All kinds, found by their files: a module here with a KIND is a kind of Siaga."""

from __future__ import annotations

import importlib
import pkgutil

from devices.kind import Kind


def _found() -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(__path__):
        kind: Kind = importlib.import_module(f"{__name__}.{module.name}").KIND
        if kind.name in kinds:
            raise ValueError(f"two files in devices/kinds/ declare the kind {kind.name!r}")
        kinds[kind.name] = kind
    return kinds


KINDS: dict[str, Kind] = _found()
