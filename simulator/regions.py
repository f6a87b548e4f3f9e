"""Dealing a fleet out to several regions, for what is about more than one: ingest by region sets, callers limited.

A pure function. What belongs together stays together: a panel with its lamps, a river, the lanes of a site.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from devices.device import Device

TOGETHER = ("panel", "river", "site")


def dealt(fleet: Sequence[Device], regions: Sequence[str]) -> list[Device]:
    """The same devices in the same order, each in one of these regions, about as many in each.

    Of several no device keeps its district: those of the fleet lie in one region only. More regions than groups of
    devices leave some empty.
    """
    if len(regions) == 1:
        return list(fleet)
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for number, device in enumerate(fleet):
        groups[_group(device)].append(number)
    sizes = dict.fromkeys(regions, 0)
    region_of: dict[int, str] = {}
    # Large ones first, each to where least is; of equals to the first, so that it comes out the same every time.
    for members in sorted(groups.values(), key=len, reverse=True):
        region = min(sizes, key=sizes.__getitem__)
        sizes[region] += len(members)
        region_of |= dict.fromkeys(members, region)
    return [replace(device, region=region_of[number], district=None) for number, device in enumerate(fleet)]


def _group(device: Device) -> str:
    name = next((name for name in TOGETHER if name in device.attributes), None)
    return f"{name} {device.attributes[name]}" if name else device.id
