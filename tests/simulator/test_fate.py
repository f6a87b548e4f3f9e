"""What is told beforehand of every packet is what the server's own intake makes of it, and what storage then keeps."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from devices import checks as quality
from devices.batch import Batch, Readings
from devices.batch import Packet as Arrived
from devices.checks_memory import Memory
from devices.fleet import Fleet
from devices.payload import encode
from devices.quality import Reason
from ingest.intake import take_in
from simulator.field import Packet
from simulator.items import Item
from simulator.plan import Plan
from simulator.truth.account import Account, Limits
from simulator.truth.folder import Clock, Told
from tests.simulator.field import LIMITS
from tests.simulator.offline import LONG_AFTER_MS, every, shipped_plan, windows, written_plan

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAYLOAD_REASONS = ("malformed", "too_large", "unknown_device", "identity_mismatch", "future_timestamp", "too_old")


class Stored:
    """What storage/readings.py and storage/quarantine.py keep, in memory: the first reading of a time stays."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], tuple[float | None, ...]] = {}
        self._conflicts: set[tuple[str, bytes]] = set()

    def outcomes(self, batch: Batch) -> list[str]:
        found = []
        for readings in batch.readings:
            for row in range(len(readings)):
                place = (readings.device_id[row], int(readings.ts_us[row]))
                values = _values(readings, row)
                if place not in self._rows:
                    self._rows[place] = values
                    found.append("stored")
                elif self._rows[place] == values:
                    found.append("duplicate")
                else:
                    key = (place[0], hashlib.sha256(encode(readings.item[row])).digest())
                    found.append("duplicate" if key in self._conflicts else "conflict")
                    self._conflicts.add(key)
        return found


def _values(readings: Readings, row: int) -> tuple[float | None, ...]:
    columns = (readings.numbers[name] for name in readings.kind.metrics)
    return tuple(None if column[row] != column[row] else float(column[row]) for column in columns)


def at(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


def check(packet: Packet, told: list[Told], batch: Batch, stored: Stored, fleet: Fleet) -> None:
    """One packet as it was foretold and as it came out."""
    arrived = [one for one in told if one.outcome != "not_sent"]
    refused = [one for one in arrived if one.outcome in PAYLOAD_REASONS]
    kept = [one for one in arrived if one.outcome not in PAYLOAD_REASONS]
    assert sorted(one.outcome for one in refused) == sorted(entry.reason for entry in batch.quarantined)
    for one in refused:
        (entry, *_) = [entry for entry in batch.quarantined if entry.reason == one.outcome]
        assert entry.topic == (one.topic or packet.topic)
        assert entry.device_id == (one.device_id if fleet.get(one.device_id) else "?")
    beyond = sorted(at(one.ts_ms) for one in refused if one.ts_ms is not None)
    skews = [(entry.received_at, entry.skew_s) for entry in batch.quarantined if entry.skew_s is not None]
    assert beyond == sorted(received_at + timedelta(seconds=skew_s) for received_at, skew_s in skews)
    assert _kept(batch) == [
        (one.device_id, 1000 * one.ts_ms, one.seq, one.boot, one.qc, one.reason, tuple(one.values.values()))
        for one in kept
        if one.ts_ms is not None
    ]
    assert [one.outcome for one in kept] == stored.outcomes(batch)


def _kept(batch: Batch) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for r in batch.readings:
        reasons = (r.reason & ~int(Reason.LATE)).tolist()
        for row in range(len(r)):
            flags = (int(r.qc[row]), reasons[row])
            found.append((r.device_id[row], int(r.ts_us[row]), r.seq[row], r.boot[row], *flags, _values(r, row)))
    return found


def fed(plan: Plan, clock: Clock) -> dict[str, int]:
    """Every packet of a plan through intake, each by itself, compared as it goes; how often each outcome was met."""
    fleet, stored, counts = Fleet(plan.fleet), Stored(), dict[str, int]()
    now_ms = plan.end_ms + LONG_AFTER_MS
    account, number, memory = Account(plan, clock, now_ms), 0, Memory()
    memory.fit(fleet)
    for window in windows(plan, every(4, plan)):
        for packet in window.packets:
            received = at(packet.send_ms if clock == "live" else now_ms)
            batch = take_in([Arrived(packet.topic, packet.payload, received)], fleet, LIMITS)
            checked = quality.check(memory, fleet, batch.readings)
            memory.apply(checked.learnt)
            batch = replace(batch, readings=checked.readings)
            told = account.sent(number, packet)
            check(packet, told, batch, stored, fleet)
            number += 1
            for one in told:
                counts[one.outcome] = counts.get(one.outcome, 0) + 1
    return counts


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_dirty_day_in_the_past(seed: int) -> None:
    counts = fed(shipped_plan("data-kotor", seed, hours=11), "past")
    for reason in ("stored", "duplicate", "conflict", *PAYLOAD_REASONS):
        assert counts[reason] > 0, f"{reason} is never met"


def test_a_dirty_morning_as_it_happens() -> None:
    counts = fed(shipped_plan("data-kotor", 1, hours=7), "live")
    assert counts["future_timestamp"] > 30, "a clock seven hours ahead, as well as one ten years"
    assert counts["too_old"] > 10


EVERYTHING = "".join(
    f'[[fault]]\nfault = "{name}"\nchance = 0.3\n'
    for name in (
        "conflict", "malformed", "oversized", "unknown_device", "wrong_identity", "duplicate", "sentinel", "reorder",
    )
)  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_faults_that_meet_in_one_packet(seed: int) -> None:
    plan = written_plan(EVERYTHING, hours=3, panels=(12,), seed=seed)
    counts = fed(plan, "past")
    assert min(counts[reason] for reason in ("stored", "duplicate", "conflict", *PAYLOAD_REASONS[:4])) > 10


def test_words_in_an_array_spoil_only_their_own_reading() -> None:
    tables = (
        '[[fault]]\nfault = "backfill"\nuntil_h = 20\n'
        '[[fault]]\nfault = "sentinel"\nchance = 0.1\n'
        '[[fault]]\nfault = "clock_skew"\noffset_s = 315360000\nshare = 0.5\nfrom_h = 5\nuntil_h = 7\n'
    )
    counts = fed(written_plan(tables, hours=20, panels=(12,)), "past")
    assert min(counts[reason] for reason in ("stored", "malformed", "future_timestamp")) > 30


# -- the account by itself -------------------------------------------------------------------------------------------


def item(ts_ms: int, value: float = 1.0, *, device: int = 0, seq: int = 0) -> Item:
    return Item(device, ts_ms, ts_ms, seq, "aaaaaa", {}, values={"level_m": value, "rain_mm": None})


def outcomes(account: Account, plan: Plan, *items: Item) -> list[str]:
    device = plan.fleet[0]
    packet = Packet(plan.start_ms, 0, 1, device.id, f"siaga/v1/12.09/{device.id}/readings", b"", items, "", ())
    return [told.outcome for told in account.sent(0, packet)]


class TestOneTime:
    PLAN = written_plan(gauges=2, detectors=0, panels=())

    def test_the_first_is_stored_the_same_is_a_duplicate_another_a_conflict_once(self) -> None:
        account = Account(self.PLAN, "past", self.PLAN.end_ms + LONG_AFTER_MS)
        t = self.PLAN.start_ms
        values = [1.0, 1.0, 2.0, 2.0, 1.0, 3.0, 2.0]
        assert outcomes(account, self.PLAN, *(item(t, value) for value in values)) == [
            "stored", "duplicate", "conflict", "duplicate", "duplicate", "conflict", "duplicate",
        ]  # fmt: skip
        assert outcomes(account, self.PLAN, item(t + 1), item(t, device=1)) == ["stored", "stored"]

    def test_two_readings_that_differ_only_in_seq_are_two_conflicts(self) -> None:
        """Quarantine keeps whole payloads: with another seq it is another one."""
        account = Account(self.PLAN, "past", self.PLAN.end_ms + LONG_AFTER_MS)
        t = self.PLAN.start_ms
        rows = (item(t), item(t, 2.0, seq=1), item(t, 2.0, seq=2), item(t, 2.0, seq=1))
        assert outcomes(account, self.PLAN, *rows) == ["stored", "conflict", "conflict", "duplicate"]

    @pytest.mark.parametrize(("clock", "now_ms"), [("past", PLAN.end_ms), ("live", PLAN.start_ms)])
    def test_limits_of_time_are_the_servers(self, clock: Clock, now_ms: int) -> None:
        account = Account(self.PLAN, clock, now_ms, Limits(future_max_s=10, age_max_days=2))
        day_ms = 86_400_000
        rows = [item(now_ms + ms) for ms in (10_000, 10_001, -2 * day_ms, -2 * day_ms - 1)]
        assert outcomes(account, self.PLAN, *rows) == ["stored", "future_timestamp", "stored", "too_old"]

    def test_the_defaults_are_those_of_the_server(self) -> None:
        mine = Limits()
        assert (mine.future_max_s, mine.age_max_days) == (LIMITS.future_max_s, LIMITS.age_max_days)
        assert mine.payload_max_bytes == LIMITS.payload_max_bytes
