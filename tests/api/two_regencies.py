"""The same things in two regencies. Whatever is of the second can be told at sight, wherever it turns up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

HOME, OTHER = "12.09", "12.71"
# Ids of the other regency's alerts, windows, quarantine entries and messages begin here.
FAR = 987_650_000
TRACE = re.compile(r"zeta|98765\d{4}|12\.71", re.IGNORECASE)
NUMBERED = ("alert", "transition", "service_window", "quarantine", "quarantine_event", "delivery")
HOUR = timedelta(hours=1)


def build(town: Any, db: psycopg.Connection) -> tuple[dict[str, str], dict[str, str]]:
    """Put them there; what the things are called in each."""
    home = _regency(town, db, HOME, "asahan")
    for table in NUMBERED:
        db.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {FAR})")
    return home, _regency(town, db, OTHER, "zeta")


def undo(db: psycopg.Connection) -> None:
    """Sequences as tests after this one expect them: small."""
    for table in NUMBERED:
        db.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1)")


def _regency(town: Any, db: psycopg.Connection, region: str, name: str) -> dict[str, str]:
    now = datetime.now(UTC).replace(microsecond=0)
    hour = now.replace(minute=0, second=0) - 2 * HOUR
    day = hour.replace(hour=0) - timedelta(days=2)
    # Numbers are traces, too: nothing names the device in a line of the ledger.
    count = 4 if region == HOME else FAR + 4
    lamp, gauge, lane, panel = f"{name}-lamp", f"{name}-gauge", f"{name}-lane", f"{name}-panel"
    place = {"region": region, "district": f"{region}.01"}
    town.device(lamp, name=f"Lampu {name}", attributes={"panel": panel}, **place)
    bounds = {"siaga_3_m": 2.0, "siaga_2_m": 2.5, "siaga_1_m": 3.0, "upstream": f"{name}-source"}
    town.gauge(gauge, name=f"Pos {name}", attributes=bounds, **place)
    town.device(lane, "traffic", name=f"Simpang {name}", **place)
    values = {
        "streetlight": (lamp, "power_w", 81.5),
        "water_level": (gauge, "level_m", 1.9),
        "traffic": (lane, "count", 9),
    }
    for kind, (device, metric, value) in values.items():
        for minutes in (10, 20, 30, 40):
            at = hour + timedelta(minutes=minutes)
            town.reading(device, kind, at, seq=minutes, boot=f"boot-{name}", **{metric: value})
        town.latest(device, kind, now - timedelta(minutes=1), **{metric: value})
        for size, at in (("5m", hour), ("1h", hour), ("1d", day)):
            town.rollup(kind, size, device, at, n=3)
        db.execute(
            "INSERT INTO ledger (device_id, hour, received, stored) VALUES (%s, %s, %s, %s)",
            (device, hour, count, count),
        )
        db.execute("INSERT INTO ledger_missing VALUES (%s, %s, 7)", (device, hour))
        db.execute(
            "INSERT INTO ledger_sum VALUES (%s, %s, %s, %s, %s, 0, 0, 0, 7, 12, 4, %s)",
            (hour, kind, place["district"], count, count, now),
        )
    alert = town.alert(lamp, raised_at=hour, detected_at=hour, severity=2)
    town.transition(alert, to_severity=2, event_at=hour, detected_at=hour)
    held = town.alert(lamp, "lamp_dim", raised_at=hour, detected_at=hour, metric=None)
    incident = town.alert(f"$panel/{panel}", "outage", raised_at=hour, detected_at=hour, severity=2)
    town.transition(incident, to_severity=2, event_at=hour, detected_at=hour)
    member = town.alert(lamp, "stale", raised_at=hour, detected_at=hour, parent_id=incident)
    town.transition(member, event_at=hour, detected_at=hour)
    suppressed = "INSERT INTO transition (alert_id, what, event_at, detected_at, parent_id) VALUES (%s, %s, %s, %s, %s)"
    db.execute(suppressed, (member, "suppressed", hour, hour, incident))
    db.execute("INSERT INTO shelf VALUES ('flat', %s, %s, 1, %s, 'x')", (lamp, now + HOUR, f"{name}-person"))
    window = _one(
        db,
        "INSERT INTO service_window (what, scope, name, from_at, until, reason, who, created_at)"
        " VALUES ('maintenance', 'panel', %s, %s, %s, %s, 'x', %s) RETURNING id",
        panel, now + HOUR, now + 2 * HOUR, f"work in {name}", now,
    )  # fmt: skip
    entry = _entry(db, lamp, f"siaga/v1/{region}/{lamp}/readings", f"of {name}", now)
    _entry(db, "$unknown", f"siaga/v1/{region}/{name}-stranger/readings", f"of a stranger in {name}", now)
    delivery = _one(
        db,
        "INSERT INTO delivery (made_at, who, channel, language, route, group_key, step, what, severity, title, body,"
        " gave_up) VALUES (%s, %s, 'mail', 'id', 'all', 'x', 0, 'raised', 2, %s, '', true) RETURNING id",
        now, f"{name}-person", f"Lampu {name}",
    )  # fmt: skip
    db.execute("INSERT INTO delivery_alert VALUES (%s, %s)", (alert, delivery))
    db.execute(
        "INSERT INTO credential (name, mode, generation, hash, created_at, created_by, changed_at)"
        " VALUES (%s, 'password', 1, '', %s, %s, %s)",
        (lamp, hour, f"{name}-person", hour),
    )
    at = now - timedelta(minutes=5)
    db.execute("INSERT INTO forecast_seen VALUES (%s, %s, %s, NULL, NULL)", (gauge, at, at))
    db.execute(
        "INSERT INTO forecast (device_id, as_of, siaga, made_at, bound_m, level_m, slope_m_h, points, basis, stage,"
        " expected_at, earliest, latest, until) VALUES (%(g)s, %(t)s, 3, %(t)s, 2, 1.9, 0.2, 7, 'own', 'warning',"
        " %(t)s + interval '1 h', %(t)s + interval '50 min', %(t)s + interval '2 h', %(t)s + interval '6 h')",
        {"g": gauge, "t": at},
    )
    db.execute(
        "INSERT INTO forecast (device_id, as_of, siaga, made_at, bound_m, level_m, slope_m_h, points, basis, stage,"
        " expected_at, earliest, latest, until, outcome) VALUES (%(g)s, %(t)s, 2, %(t)s, 2.5, 1.9, 0.2, 7, 'own',"
        " 'watch', %(t)s, %(t)s, %(t)s, %(t)s, 'false')",
        {"g": gauge, "t": at - 8 * HOUR},
    )
    db.execute(
        "INSERT INTO command (device_id, name, args, who, batch, made_at, expires_at)"
        " VALUES (%s, 'switch', '{\"state\": \"on\"}', %s, gen_random_uuid(), %s, %s)",
        (lamp, f"{name}-person", at, now + HOUR),
    )
    db.execute("INSERT INTO presence VALUES (%s, true, %s, %s)", (gauge, at, at))
    db.execute("INSERT INTO device_life VALUES (%s, %s, 'in_service', %s, 'x', %s)", (lamp, at, f"{name}-person", at))
    told = {"rivers": [], "open": {"count": 0, "items": []}, "shelved": {"count": 0, "items": []}}
    told |= {"windows": {"count": 0, "items": []}, "forecasts": []}
    told |= {"degraded": {name: {"count": 0, "items": []} for name in ("silent", "suspect", "incomplete")}}
    handover = _one(
        db,
        "INSERT INTO handover (since, given_at, given_by, regions, notes, told) VALUES (%s, %s, %s, %s, %s, %s)"
        " RETURNING id",
        hour, at, f"{name}-person", [region], f"of {name}", Jsonb(told),
    )  # fmt: skip
    return {
        "lamp": lamp, "gauge": gauge, "lane": lane, "panel": panel, "region": region, "alert": str(alert),
        "held": str(held), "incident": str(incident), "window": str(window), "entry": str(entry),
        "delivery": str(delivery), "handover": str(handover), "hour": hour.isoformat().replace("+00:00", "Z"),
        "soon": (now + HOUR).isoformat().replace("+00:00", "Z"),
    }  # fmt: skip


def _entry(db: psycopg.Connection, device: str, topic: str, detail: str, now: datetime) -> int:
    return _one(
        db,
        "INSERT INTO quarantine (reason, fingerprint, device_id, topic, digest, payload, detail, day, first_seen,"
        " last_seen) VALUES ('malformed', left(md5(%s), 16), %s, %s, %s, '{}', %s, current_date, %s, %s) RETURNING id",
        detail, device, topic, detail.encode(), detail, now, now,
    )  # fmt: skip


def _one(db: psycopg.Connection, query: str, *values: Any) -> int:
    row = db.execute(query.encode(), values).fetchone()
    assert row is not None
    return int(row[0])
