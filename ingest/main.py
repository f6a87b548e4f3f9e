"""The ingest process: take up where the last one stood, listen, commit; end with nothing half done."""

from __future__ import annotations

import asyncio

import prometheus_client
import psycopg

from devices.topics import readings_filters
from ingest import metrics
from ingest.decoders.choose import DecoderError, Decoders
from ingest.ground import Ground, part_of, take_up
from ingest.loop import Loop
from ingest.mqtt import Session
from ingest.talk import Talk
from runtime.log import get_logger, rename
from runtime.mqtt_url import Broker, parse_url
from runtime.settings import SettingError, Settings, require
from runtime.stop import sleep_until, stop_event
from storage.ingest_session import ClashError, StandbyError
from storage.parts import How, State, keep_beating

log = get_logger(__name__)

PAUSE_FIRST_S = 0.2
STANDBY_POLL_S = 1.0
# A batch under way may end; what is not committed by then is delivered again.
GRACE_S = 5.0
MIB = 1 << 20


def run(settings: Settings) -> int:
    """Ingest until SIGTERM or SIGINT; the exit code. Raises SettingError."""
    rename(part_of(settings.ingest_client_id))
    try:
        broker = parse_url(require(settings.mqtt_url, "SIAGA_MQTT_URL"))
    except ValueError as error:
        raise SettingError(str(error)) from None
    require(settings.database_url, "SIAGA_DATABASE_URL")
    try:
        decoders = Decoders.from_file(settings.decoders)
    except DecoderError as error:
        raise SettingError(f"SIAGA_DECODERS: {error}") from None
    if settings.ingest_metrics_port:
        try:
            prometheus_client.start_http_server(settings.ingest_metrics_port, settings.api_host, metrics.REGISTRY)
        except OSError as error:
            raise SettingError(f"SIAGA_INGEST_METRICS_PORT {settings.ingest_metrics_port}: {error}") from None

    async def ingest() -> int:
        stop = stop_event()
        ground = await _first_ground(settings, stop, decoders)
        if ground is None:
            return 0
        filters = readings_filters(settings.regions) + decoders.filters()
        buffer = (settings.ingest_inflight, settings.ingest_buffer_mb * MIB)
        session = Session(broker, ground.session_id, filters, *buffer)
        return await _serve(settings, broker, session, ground, stop, decoders)

    return asyncio.run(ingest())


async def _first_ground(settings: Settings, stop: asyncio.Event, decoders: Decoders) -> Ground | None:
    """Wait for the database, and for our turn; None when asked to stop meanwhile. Raises SettingError where another
    process serves some of what we are told to."""
    pause_s, told = PAUSE_FIRST_S, ""
    while not stop.is_set():
        try:
            return await take_up(settings, decoders.filters())
        except ClashError as error:
            raise SettingError(str(error)) from None
        except StandbyError as error:
            text, pause_s, standby = str(error), STANDBY_POLL_S, True
        except psycopg.Error as error:
            text, pause_s, standby = str(error).strip(), min(pause_s * 2, settings.database_retry_max_s), False
        if text != told:
            told = text
            say = log.info if standby else log.warning
            say("start.waiting", why=text)
        await sleep_until(stop, pause_s)
    return None


async def _serve(
    settings: Settings, broker: Broker, session: Session, ground: Ground, stop: asyncio.Event, decoders: Decoders
) -> int:
    loop = Loop(settings, session, ground, stop, decoders)

    def how() -> How:
        loop.counts.tell()
        facts = {
            "packets_per_s": round(loop.counts.per_s, 1),
            "lag_s": round(loop.lag_s, 3),
            "held_packets": session.held,
            "held_packets_limit": settings.ingest_inflight,
        }
        return How(*_state(loop, session), facts)

    metrics.HELD_LIMIT.set(settings.ingest_inflight)
    # As they are when Prometheus asks: what says that the database is away must not need it.
    metrics.HELD_PACKETS.set_function(lambda: session.held)
    metrics.SUBSCRIBED.set_function(lambda: session.subscribed_since is not None)
    metrics.DEVICES.set_function(lambda: loop.devices)
    url, part = require(settings.database_url, "SIAGA_DATABASE_URL"), part_of(settings.ingest_client_id)
    # The session outlives the loop, so that the last batch is acknowledged.
    over = asyncio.Event()
    listening = asyncio.create_task(session.run(over), name="session")
    beating = asyncio.create_task(keep_beating(url, part, how, stop), name="beat")
    looping = asyncio.create_task(loop.run(), name="loop")
    talking = asyncio.create_task(Talk(settings, broker, ground.session_id).run(stop), name="talk")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    log.info("ingest.started", devices=len(ground.fleet))
    await asyncio.wait([listening, looping, talking, stopping], return_when=asyncio.FIRST_COMPLETED)
    asked = stop.is_set()
    stop.set()
    session.wake()
    await asyncio.wait([looping], timeout=GRACE_S)
    looping.cancel()
    over.set()
    ended = await asyncio.gather(listening, looping, talking, beating, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            log.error("ingest.failed", error=str(error), exc_info=error)
    log.info("ingest.stopped")
    return 0 if asked else 1


def _state(loop: Loop, session: Session) -> tuple[State, str]:
    if loop.trouble:
        return "degraded", loop.trouble
    if session.subscribed_since is None:
        return "degraded", "the broker is away"
    return "up", f"{loop.counts.per_s:.1f} packets/s"
