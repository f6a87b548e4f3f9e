"""What the doctor says of facts, without any server: one row for each finding."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices.kinds import KINDS
from runtime.settings import Settings
from siaga.doctor import broker, certificates, clock, credentials, database, disk, parts, policies, safety
from siaga.doctor.show import lines
from siaga.doctor.verdict import Verdict, ok, problem, warning
from siaga.storage_status import Line
from storage.checkup import Credentials, Part, Server, Waiting
from storage.flavour import Failing
from storage.retention import Hold, Policy
from storage.retention_told import Told
from storage.usage import Use

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
GOOD = Server(180_004, False, False, True, True, "on", 57, 0, 0, 0, "/data", False, 25_200)
SCHEMA = database.Schema("0003", ("0001", "0002", "0003"), "plain PostgreSQL")
QUIET = Waiting(10, NOW, NOW, 60, 0, None, 0, None, 1, 0, None)
WORKER = Part("worker", "up", "", NOW, True, {"rollup_lag_s": 3, "rollup_pending_marks": 2})
INGEST = Part("ingest", "up", "", NOW, True, {"lag_s": 0.1, "held_packets": 0, "held_packets_limit": 100})


def one(found: Iterable[Verdict], check: str) -> Verdict:
    (verdict,) = [each for each in found if each.check == check]
    assert (verdict.state == "ok") == (verdict.cure == "")
    return verdict


@pytest.mark.parametrize(
    ("change", "check", "state", "said"),
    [
        ({}, "database", "ok", "PostgreSQL 18.4"),
        ({"version": 140_010}, "database", "problem", "too old"),
        ({"read_only": True}, "writable", "problem", "replica"),
        ({}, "durability", "ok", "fsync on"),
        ({"fsync": False}, "durability", "problem", "fsync off"),
        ({"full_page_writes": False}, "durability", "problem", "full_page_writes off"),
        ({"synchronous_commit": "off"}, "durability", "problem", "synchronous_commit is off"),
        ({"synchronous_commit": "remote_apply"}, "durability", "ok", "remote_apply"),
        ({"standbys": 1, "waits_for_standby": True}, "standby", "ok", "1 follows"),
        ({"standbys": 2}, "standby", "warning", "2 follow, and no commit waits"),
        ({"waits_for_standby": True}, "standby", "problem", "every commit waits"),
        ({}, "connections", "ok", "28 wanted at most, 57 for us"),
        ({"others": 40}, "connections", "warning", "40 taken by others"),
        ({"statement_timeout_s": 30}, "timeouts", "warning", "statement_timeout = 30 s"),
        ({"idle_timeout_s": 60}, "timeouts", "warning", "idle_in_transaction_session_timeout = 60 s"),
        ({"statement_timeout_s": 3600}, "timeouts", "ok", ""),
    ],
)
def test_database(change: dict[str, Any], check: str, state: str, said: str) -> None:
    verdict = one(database.judge(GOOD._replace(**change), SCHEMA, Settings()), check)
    assert verdict.state == state
    assert said in verdict.what


@pytest.mark.parametrize(
    ("has", "state", "cure"),
    [
        ("0003", "ok", ""),
        ("0002", "problem", "siaga migrate"),
        (None, "problem", "siaga migrate"),
        ("0004", "problem", "newer"),
    ],
)
def test_schema(has: str | None, state: str, cure: str) -> None:
    verdict = one(database.judge(GOOD, SCHEMA._replace(has=has), Settings()), "schema")
    assert verdict.state == state
    assert cure in verdict.cure


@pytest.mark.parametrize(
    ("store", "state", "said"),
    [
        (broker.Store("the broker", 10, 10e6, 100e6), "ok", "10 messages, 10.0 MB of 100 MB (10 %)"),
        (broker.Store("the broker", 10, 80e6, 100e6), "problem", "(80 %)"),
        (broker.Store("the worker", 10, 80e6, None), "warning", "limit is not known"),
        (broker.Store("the worker", error="not asked"), "warning", "not asked"),
    ],
)
def test_broker_store(store: broker.Store, state: str, said: str) -> None:
    verdict = broker.judge_store(store, 80)
    assert verdict.state == state
    assert said in verdict.what


def test_broker_that_refuses() -> None:
    (refused,) = broker.judge_reached(broker.Reached("b:1883", "b:1883 refuses this user: Not authorized"))
    assert refused.state == "problem"
    found = list(broker.judge_reached(broker.Reached("b:1883", refused=("siaga/v1/+/+/readings",))))
    assert one(found, "subscription").state == "problem"
    found = list(broker.judge_reached(broker.Reached("b:1883", away=("c:1883: refused",))))
    assert one(found, "broker").state == one(found, "subscription").state == "ok"
    assert one(found, "broker node").state == "warning"


@pytest.mark.parametrize(
    ("ahead_s", "way_s", "state"),
    [(0, 0.01, "ok"), (1.9, 0.01, "ok"), (-5, 0.01, "warning"), (31, 0.01, "problem"), (5, 8, "ok")],
)
def test_clock(ahead_s: float, way_s: float, state: str) -> None:
    after = NOW + timedelta(seconds=way_s)
    there = NOW + timedelta(seconds=way_s / 2 + ahead_s)
    found = clock.offset(NOW, there, after)
    assert found.ahead_s == pytest.approx(ahead_s)
    assert clock.judge("database", found).state == state


def test_a_clock_of_whole_seconds_is_not_half_a_second_slow() -> None:
    found = clock.offset(NOW + timedelta(seconds=0.5), NOW, NOW + timedelta(seconds=0.5), step_s=1)
    assert found == clock.Offset(0, 0.5)


@pytest.mark.parametrize(("database_s", "state"), [(25_200, "ok"), (28_800, "problem"), (None, "problem")])
def test_zone(database_s: float | None, state: str) -> None:
    (verdict,) = clock.judge_zone(clock.Zone("Asia/Jakarta", 25_200, database_s))
    assert verdict.state == state
    assert "+07:00" in verdict.what or database_s is None


def line(level: Any = "raw", size: int = 10**9, days: float = 10, keep: int = 90, **more: Any) -> Line:
    kind = KINDS["streetlight"]
    use = Use(kind.name, level, f"reading_{kind.name}", size, 1000, 2, NOW - timedelta(days=days), NOW)
    told = Told(kind.name, level, keep, NOW, NOW + timedelta(hours=1), 0, 0, None, None)
    return Line(use, Policy(kind, level, keep), more.get("told", told), more.get("due", 0), more.get("held", {}))


def test_growth() -> None:
    assert disk.growth([line(days=0.1)]) is None
    assert disk.growth([line(days=10, keep=90)]) == disk.Growth(1e8, pytest.approx(8e9))
    assert disk.growth([line(days=95, keep=90)]) == disk.Growth(0, 0)
    assert disk.growth([line(days=10, keep=0), line(days=10)]) == disk.Growth(2e8, None)


@pytest.mark.parametrize(
    ("free", "grows", "state", "said"),
    [
        (500e9, None, "ok", "500 GB of 1.0 TB free"),
        (500e9, disk.Growth(1e9, None), "ok", "500 days"),
        (500e9, disk.Growth(1e6, None), "ok", "1.0 MB a day: more than ten years"),
        (25e9, disk.Growth(1e9, None), "warning", "25 days"),
        (500e9, disk.Growth(100e9, None), "problem", "5 days"),
        (500e9, disk.Growth(100e9, 400e9), "ok", "enough for all that is kept"),
        (10e9, None, "problem", "10.0 GB"),
        (21e9, None, "warning", ""),
    ],
)
def test_disk(free: float, grows: disk.Growth | None, state: str, said: str) -> None:
    verdict = disk.judge(disk.Disk("database", "/data", int(free), 10**12), grows)
    assert verdict.state == state
    assert said in verdict.what


@pytest.mark.parametrize(
    ("lines_", "check", "state", "said"),
    [
        ([line()], "retention", "ok", "ran 2026-11-24 12:00"),
        ([line(told=None)], "retention", "warning", "has not run"),
        ([line()], "parts", "ok", ""),
        ([line(due=2)], "parts", "warning", "2 of reading_streetlight"),
        ([line(due=2, held={Hold.MARKS: 2})], "parts", "warning", "held back by rollup marks"),
    ],
)
def test_retention(lines_: list[Line], check: str, state: str, said: str) -> None:
    verdict = one(policies.judge(lines_, [], NOW), check)
    assert verdict.state == state
    assert said in verdict.what


def test_retention_that_stands_and_a_job_that_fails() -> None:
    found = list(
        policies.judge([line()], [Failing("reading_traffic", "Columnstore Policy", NOW)], NOW + timedelta(hours=4))
    )
    assert one(found, "retention").state == "problem"
    assert "Columnstore Policy of reading_traffic" in one(found, "TimescaleDB").what


@pytest.mark.parametrize(("days", "state"), [(90, "ok"), (20, "warning"), (4, "problem"), (-1, "problem")])
def test_certificate(days: int, state: str) -> None:
    shown = certificates.Certificate("broker", "b:8883", NOW + timedelta(days=days))
    assert certificates.judge(shown, NOW).state == state


def test_a_certificate_that_is_not_believed() -> None:
    verdict = certificates.judge(certificates.Certificate("broker", "b:8883", error="self-signed certificate"), NOW)
    assert (verdict.state, "self-signed" in verdict.what) == ("problem", True)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Credentials(0, None, 0, 0), []),
        (Credentials(9, NOW + timedelta(days=300), 0, 0), ["9, none that ends within 21 days"]),
        (Credentials(9, NOW, 2, 0), ["2 of 9 end within 21 days, the first 2026-11-24 12:00"]),
        (Credentials(9, NOW, 2, 1), ["2 of 9 end", "1 of retired devices"]),
    ],
)
def test_credentials(found: Credentials, said: list[str]) -> None:
    verdicts = list(credentials.judge(found))
    assert len(verdicts) == len(said)
    for verdict, words in zip(verdicts, said, strict=True):
        assert verdict.what.startswith(words)
        assert (verdict.state == "ok") == (not verdict.cure) == ("none" in words)


@pytest.mark.parametrize(
    ("there", "check", "state"),
    [
        ([INGEST, WORKER], "ingest", "ok"),
        ([WORKER], "ingest", "problem"),
        ([INGEST], "worker", "problem"),
        ([INGEST._replace(fresh=False), WORKER], "ingest", "problem"),
        ([INGEST._replace(state="degraded", detail="standby"), WORKER], "ingest", "warning"),
        ([INGEST._replace(state="down"), WORKER], "ingest", "problem"),
        ([INGEST._replace(name="ingest-north"), WORKER], "ingest-north", "ok"),
        ([INGEST._replace(name="ingest-north"), INGEST._replace(fresh=False), WORKER], "ingest", "problem"),
    ],
)
def test_parts(there: list[Part], check: str, state: str) -> None:
    assert one(parts.judge_parts(there, NOW), f"part {check}").state == state


@pytest.mark.parametrize(
    ("facts", "check", "state"),
    [
        ({"rollup_lag_s": 30}, "rollups", "ok"),
        ({"rollup_lag_s": 300}, "rollups", "warning"),
        ({"rollup_lag_s": 3000}, "rollups", "problem"),
        ({"held_packets": 50, "held_packets_limit": 100, "lag_s": 1}, "ingest lag", "ok"),
        ({"held_packets": 100, "held_packets_limit": 100, "lag_s": 1}, "ingest lag", "problem"),
        ({"held_packets": 0, "held_packets_limit": 100, "lag_s": 31}, "ingest lag", "warning"),
    ],
)
def test_lag(facts: dict[str, float], check: str, state: str) -> None:
    there = [(WORKER if "rollup_lag_s" in facts else INGEST)._replace(facts=facts)]
    assert one(parts.judge_lag(there, QUIET, Settings(), NOW), check).state == state


@pytest.mark.parametrize(
    ("change", "check", "state"),
    [
        ({}, "readings", "ok"),
        ({"devices": 0, "newest": None}, "readings", "ok"),
        ({"newest": None}, "readings", "warning"),
        ({"newest": NOW - timedelta(seconds=170), "committed_at": None}, "readings", "ok"),
        ({"newest": NOW - timedelta(seconds=190), "committed_at": None}, "readings", "problem"),
        ({}, "notices", "ok"),
        ({"dead": 2}, "notices", "problem"),
        ({"unsent_since": NOW - timedelta(minutes=11)}, "notices", "warning"),
        ({}, "quarantine", "ok"),
        ({"quarantined": 3, "quarantined_since": NOW - timedelta(days=3)}, "quarantine", "warning"),
    ],
)
def test_what_waits(change: dict[str, Any], check: str, state: str) -> None:
    waiting = QUIET._replace(**change)
    found = [*parts.judge_lag([], waiting, Settings(), NOW), *parts.judge_waiting(waiting, NOW)]
    assert one(found, check).state == state


PLACE = safety.Place("broker", "127.0.0.1", 1883, False, "x" * 20)


@pytest.mark.parametrize(
    ("settings", "place", "check", "state", "said"),
    [
        ({}, PLACE, "broker access", "ok", "this machine only"),
        ({}, PLACE._replace(port=8883), "broker access", "warning", "open to other machines"),
        ({}, PLACE._replace(host="broker.example"), "broker access", "warning", "without TLS"),
        ({}, PLACE._replace(host="broker.example", tls=True), "broker access", "ok", "with TLS"),
        ({}, PLACE._replace(password="siaga"), "broker access", "warning", "short"),
        ({"rate_key_per_min": 0}, PLACE, "rate limits", "warning", "SIAGA_RATE_KEY_PER_MIN"),
        ({"cors_origins": "http://peta.example"}, PLACE, "CORS", "warning", "http://peta.example"),
        ({"cors_origins": "https://peta.example"}, PLACE, "CORS", "ok", "1 sites"),
        ({"api_host": "0.0.0.0"}, PLACE, "API access", "warning", "no proxy"),
        ({"broker_users_file": "/x"}, PLACE, "session of ingest", "ok", "nobody can guess"),
        ({"api_host": "0.0.0.0", "trusted_proxies": "10.0.0.1"}, PLACE, "API access", "ok", "behind 10.0.0.1"),
    ],
)
def test_safety(settings: dict[str, Any], place: safety.Place, check: str, state: str, said: str) -> None:
    verdict = one(safety.judge(Settings(**settings), [place], frozenset({8883}), QUIET), check)
    assert verdict.state == state
    assert said in verdict.what


@pytest.mark.parametrize(
    ("waiting", "settings", "state"),
    [
        (QUIET, {}, "ok"),
        (QUIET._replace(admins=0, admin_keys=1), {}, "ok"),
        (QUIET._replace(admins=0), {}, "warning"),
        (QUIET._replace(admins=0), {"oidc_issuer": "https://id.example"}, "ok"),
    ],
)
def test_admin(waiting: Waiting, settings: dict[str, Any], state: str) -> None:
    assert one(safety.judge(Settings(**settings), [], frozenset(), waiting), "admin").state == state


def test_open_ports_of_the_kernels_tables() -> None:
    head = "  sl  local_address rem_address   st"
    tcp = [
        head,
        " 0: 0100007F:075B 00000000:0000 0A",
        " 1: 00000000:22B3 00000000:0000 0A",
        " 2: 00000000:1F90 0100007F:0001 01",
    ]
    tcp6 = [head, f" 0: {'0' * 24}01000000:1538 {'0' * 32}:0000 0A", f" 1: {'0' * 32}:0050 {'0' * 32}:0000 0A"]
    assert safety.open_ports({"tcp": "\n".join(tcp), "tcp6": "\n".join(tcp6)}) == {0x22B3, 0x50}


def test_shown_with_cures_and_a_summary_in_colour_only_where_asked() -> None:
    found = [ok("broker", "answers"), warning("admin", "nobody", "Make one."), problem("schema", "old", "Migrate.")]
    told = list(lines(found, colour=False))
    assert told[1].split() == ["WARNING", "admin", "nobody"]
    assert told[2].strip() == "→ Make one."
    assert told[-1] == "1 problem, 1 warning, 1 well"
    assert not any("\x1b" in each for each in told)
    assert "\x1b[31mPROBLEM" in "\n".join(lines(found, colour=True))
    assert list(lines(found[:1], colour=False))[-1] == "all well: 1 checks"
