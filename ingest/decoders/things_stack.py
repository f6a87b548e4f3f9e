"""The Things Stack v3: the uplink message of its MQTT server, as JSON (its Data Formats page).

Topic v3/{application}@{tenant}/devices/{device id}/up. Empty fields are left out: f_cnt 0. session_key_id changes with
every join.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from devices.kind import Kind
from devices.payload import Bad, Decoded
from ingest.decoders.fields import Fields, bad
from ingest.decoders.mapped_json import parsed
from ingest.decoders.uplink import Frame, best, mapping, reading

TOPIC = "v3/+/devices/{device}/up"


@dataclass(frozen=True, slots=True)
class ThingsStack:
    fields: dict[str, Fields] = field(default_factory=dict)  # by kind

    def decode(self, kind: Kind, payload: bytes, received_at: datetime) -> Decoded:
        """Read an uplink message for a device of this kind."""
        message = parsed(payload)
        if isinstance(message, Bad):
            return Decoded([], [message])
        uplink = mapping(message).get("uplink_message")
        if not isinstance(uplink, dict):
            return Decoded([], [bad(payload, "uplink_message: an object is needed")])
        if message.get("simulated") is True:
            return Decoded([], [bad(payload, "simulated: sent by hand from the console, nothing was measured")])
        rssi, snr = best(uplink.get("rx_metadata"))
        session = uplink.get("session_key_id") or mapping(message.get("end_device_ids")).get("dev_addr")
        # The network server's clock: a gateway's own (settings.time) is only as good as its GPS.
        time = uplink.get("received_at") or message.get("received_at")
        frame = Frame(uplink.get("decoded_payload"), time, session, uplink.get("f_cnt", 0), rssi, snr)
        return reading(kind, frame, payload, self.fields.get(kind.name, {}), "uplink_message.decoded_payload")
