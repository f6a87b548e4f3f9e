"""ChirpStack v4: the uplink event of its MQTT integration, as JSON (chirpstack/integration/integration.proto).

Topic application/{application id}/device/{devEui}/event/up. A field with its default value may be left out: fCnt 0.
A join gives the device another devAddr, so that it names the session.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from devices.kind import Kind
from devices.payload import Bad, Decoded
from ingest.decoders.fields import Fields, bad
from ingest.decoders.mapped_json import parsed
from ingest.decoders.uplink import Frame, best, objects, reading

TOPIC = "application/+/device/{device}/event/up"


@dataclass(frozen=True, slots=True)
class ChirpStack:
    fields: dict[str, Fields] = field(default_factory=dict)  # by kind

    def decode(self, kind: Kind, payload: bytes, received_at: datetime) -> Decoded:
        """Read an uplink event for a device of this kind."""
        event = parsed(payload)
        if isinstance(event, Bad):
            return Decoded([], [event])
        if not isinstance(event, dict):
            return Decoded([], [bad(payload, "payload: not an uplink event, an object is needed")])
        receptions = event.get("rxInfo")
        rssi, snr = best(receptions)
        # `time` is the server's choice among what the gateways told; it is there whenever the server has received it.
        heard = [each["nsTime"] for each in objects(receptions) if isinstance(each.get("nsTime"), str)]
        time = event.get("time") or min(heard, default=None)
        frame = Frame(event.get("object"), time, event.get("devAddr"), event.get("fCnt", 0), rssi, snr)
        return reading(kind, frame, payload, self.fields.get(kind.name, {}), "object")
