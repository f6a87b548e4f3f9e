"""What is asked of /metrics: which aggregates of which metrics, of whom. Whatever was named must lead to something."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from api.problems import wrong_field
from devices.kind import Kind, Rollup
from devices.kinds import KINDS
from devices.topics import is_device_id
from storage import read_groups, read_metrics

# n and good, which every bucket has; asked for alone, nothing else is read.
COUNT = "count"
VALUE_MAX = 64
# Of all kinds; one that a kind has not is looked at, but means nothing there.
GROUP_FILTERS = sorted({name for kind in KINDS.values() for name in kind.group_by})
Wanted = dict[str, list[str]]


def names(field: str, text: str | None) -> list[str] | None:
    """Names separated by commas, each once; None is all."""
    if text is None:
        return None
    found = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise wrong_field(field, "is empty; leave it out for all")
    return found


def device_ids(text: str | None) -> list[str] | None:
    found = names("device", text)
    if found is not None and (wrong := [name for name in found if not is_device_id(name)]):
        raise wrong_field("device", f"{wrong[0]!r} is no device id")
    return found


def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise wrong_field("tz", f"unknown time zone {name!r}; use an IANA name such as Asia/Jakarta") from None


def grouping(kind: Kind, text: str) -> str | None:
    """How devices are taken together; None is each by itself."""
    if text not in ("device", *kind.groupings):
        raise wrong_field("group", f"{text!r} is not one of {kind.name}'s: device, {', '.join(kind.groupings)}")
    return None if text == "device" else text


def where(kind: Kind, district: str | None, parameters: Mapping[str, str]) -> dict[str, str]:
    """Of which groups devices must be."""
    found = {} if district is None else {"district": district}
    for name in GROUP_FILTERS:
        if (value := parameters.get(name)) is not None:
            if not 0 < len(value) <= VALUE_MAX:
                raise wrong_field(name, f"must have 1 to {VALUE_MAX} characters; leave it out for all")
            if name in kind.group_by:
                found[name] = value
    return found


def wanted(kind: Kind, metric: str | None, agg: str | None, grouped: bool) -> Wanted:
    """Aggregates by metric, of devices or of groups of them."""
    known = metrics(kind, metric)
    possible = read_groups.AGGREGATES if grouped else read_metrics.AGGREGATES
    asked = names("agg", agg)
    if asked is None:
        return {name: list(of) for name in known if (of := possible[kind.metrics[name].rollup])}
    if asked == [COUNT]:
        return {}
    chosen = [name for name in asked if name != COUNT]
    for name in chosen:
        _check(name, possible)
    found = {name: [each for each in possible[kind.metrics[name].rollup] if each in chosen] for name in known}
    for name, chosen_of in found.items():
        if not chosen_of and metric is not None:
            raise wrong_field("agg", f"{name} has {', '.join(possible[kind.metrics[name].rollup])}, not {agg}")
    used = {each for of in found.values() for each in of}
    if useless := [each for each in chosen if each not in used]:
        raise wrong_field("agg", f"none of the metrics asked for has {', '.join(useless)}")
    return {name: of for name, of in found.items() if of}


def metrics(kind: Kind, text: str | None) -> list[str]:
    """The metrics asked for, or all."""
    found = names("metric", text)
    for name in found or ():
        if name not in kind.metrics:
            raise wrong_field("metric", f"{name!r} is not one of {kind.name}'s: {', '.join(kind.metrics)}")
    return found or list(kind.metrics)


def _check(name: str, possible: Mapping[Rollup, tuple[str, ...]]) -> None:
    every = list(dict.fromkeys(each for of in possible.values() for each in of))
    # In the order in which they are documented.
    every.sort(key=[*read_metrics.EXPRESSIONS, "total"].index)
    if name not in every:
        raise wrong_field("agg", f"{name!r} is not one of {', '.join([*every, COUNT])}")
