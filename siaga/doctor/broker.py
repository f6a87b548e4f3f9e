"""The broker: whether it can be reached, lets us in, lets ingest subscribe, and how full it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

from devices.topics import readings_filters
from ingest.decoders.choose import DecoderError, Decoders
from runtime.mqtt_url import Broker, parse_url
from runtime.settings import SettingError, Settings, require
from siaga.doctor.verdict import Verdict, ok, problem, warning
from siaga.storage_status import size_text
from siaga.visit import Visit, VisitError
from storage.parts import Facts
from worker.backlog import NoAnswerError, ask

RUNNING = "Start the broker, or correct SIAGA_MQTT_URL; its log says more. Devices keep their readings, if they can."


class Reached(NamedTuple):
    """What came of a visit. error: it did not let us in; refused: filters of ingest that it does not let us have.

    away: nodes of a cluster that did not let us in, and why, where another did.
    """

    place: str
    error: str = ""
    refused: tuple[str, ...] = ()
    away: tuple[str, ...] = ()


class Store(NamedTuple):
    """How much the broker holds. source says who was asked; error: nobody knows, and why."""

    source: str
    messages: float | None = None
    size: float | None = None
    limit: float | None = None
    error: str = ""


def there(settings: Settings) -> Broker:
    """Raises SettingError."""
    try:
        return parse_url(require(settings.mqtt_url, "SIAGA_MQTT_URL"))
    except ValueError as error:
        raise SettingError(str(error)) from None


def reach(settings: Settings) -> Reached:
    """Visit the broker as ingest does: the same user, the same filters. Raises SettingError."""
    broker = there(settings)
    try:
        filters = [*readings_filters(settings.regions), *Decoders.from_file(settings.decoders).filters()]
    except DecoderError as error:
        raise SettingError(f"SIAGA_DECODERS: {error}") from None
    found = [_reach_node(node, filters) for node in broker.nodes]
    best = next((each for each in found if not each.error), found[0])
    return best._replace(away=() if best.error else tuple(each.error for each in found if each.error))


def _reach_node(node: Broker, filters: list[str]) -> Reached:
    place = f"{node.host}:{node.port}"
    try:
        with Visit(node, "doctor") as visit:
            return Reached(place, refused=tuple(visit.subscribe(filters)))
    except VisitError as error:
        return Reached(place, str(error))


def store(settings: Settings, worker: Facts | None) -> Store:
    """Ask the broker itself where we know how; else the worker, which asks it every 10 s. Raises SettingError."""
    if settings.broker_monitor_url is not None:
        try:
            held = asyncio.run(ask(settings.broker_monitor_url.get_secret_value(), settings))
        except NoAnswerError as error:
            return Store("the broker", error=str(error))
        return Store("the broker", held.messages, held.bytes, held.limit_bytes)
    if not worker or worker.get("broker_held_bytes") is None:
        return Store("the worker", error="SIAGA_BROKER_MONITOR_URL is not set here, and the worker does not know")
    return Store(
        "the worker", worker.get("broker_held_messages"), worker["broker_held_bytes"], worker.get("broker_limit_bytes")
    )


def judge_reached(found: Reached) -> Iterator[Verdict]:
    if found.error:
        yield problem("broker", f"cannot be used: {found.error}", RUNNING)
        return
    yield ok("broker", f"{found.place} answers and lets us in")
    for error in found.away:
        yield warning(
            "broker node",
            f"cannot be used: {error}",
            "Start it again; its log says more. The cluster goes on as long as more than half of its nodes do.",
        )
    if found.refused:
        yield problem(
            "subscription",
            f"refused: {', '.join(found.refused)}",
            "Allow the user of SIAGA_MQTT_URL to subscribe to these; without it no reading comes in.",
        )
    else:
        yield ok("subscription", "ingest may subscribe to all it wants")


def judge_store(found: Store, full_pct: int) -> Verdict:
    """full_pct: from which share of the limit on it is too full."""
    if found.error:
        return warning(
            "broker store",
            f"not known: {found.error}",
            "Set SIAGA_BROKER_MONITOR_URL (docs/running.md), or a store that fills up is seen by nobody.",
        )
    held = f"{found.messages or 0:,.0f} messages, {size_text(found.size or 0)}"
    if not found.limit:
        return warning(
            "broker store",
            f"{held}; its limit is not known",
            "Set SIAGA_BROKER_LIMIT_BYTES to what the broker may hold (Mosquitto does not say).",
        )
    share = 100 * (found.size or 0) / found.limit
    what = f"{held} of {size_text(found.limit)} ({share:.0f} %), says {found.source}"
    if share >= full_pct:
        return problem(
            "broker store",
            what,
            "Find out why ingest does not keep up, or raise SIAGA_BROKER_MAX_FILE and restart the broker "
            "(docs/operations.md, SiagaBrokerFills). When it is full it refuses what devices publish.",
        )
    return ok("broker store", what)
