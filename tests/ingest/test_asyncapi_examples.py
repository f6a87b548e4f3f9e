"""Every example of the AsyncAPI document is taken in as it stands: stored, good, nothing unknown."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from devices.asyncapi import TS_LATER, Limits, document
from devices.batch import Packet
from devices.device import Device
from devices.fleet import Fleet
from devices.kinds import KINDS
from devices.quality import Quality, Reason
from ingest import intake
from runtime.settings import Settings

SETTINGS = Settings()
ARRIVED = datetime.fromisoformat(TS_LATER) + timedelta(seconds=2)
FLEET = Fleet([Device(f"one-{name}", name, region="12.09") for name in KINDS])


@pytest.mark.parametrize("name", KINDS)
def test_every_example_is_stored(name: str) -> None:
    made = document(KINDS.values(), Limits(SETTINGS.array_max, SETTINGS.payload_max_bytes))
    topic = made["channels"]["readings"]["address"].format(region="12.09", device_id=f"one-{name}")
    examples = [each["payload"] for each in made["components"]["messages"][name]["examples"]]
    packets = [Packet(topic, json.dumps(payload).encode(), ARRIVED) for payload in examples]
    batch = intake.take_in(packets, FLEET, intake.Limits.of(SETTINGS))
    assert (batch.quarantined, batch.unknown_fields) == ([], 0)
    (readings,) = batch.readings
    assert readings.kind is KINDS[name]
    assert len(readings) == 3
    assert readings.qc.tolist() == [Quality.GOOD] * 3
    assert not (readings.reason & ~Reason.LATE).any()
    doubts = KINDS[name].doubtful(readings.numbers, lambda attribute: FLEET.attribute(attribute)[readings.device])
    assert not any(doubt.any() for doubt in doubts.values())
