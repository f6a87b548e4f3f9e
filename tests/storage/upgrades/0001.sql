-- A small town as the first version left it: an open alert of a gauge, an acknowledged one of a lamp, marks that nobody
-- has rolled up, a week that is rolled up, notices sent and not yet sent.
INSERT INTO device (id, kind, name, region, district, lat, lon, attributes) VALUES
    ('lamp', 'streetlight', 'Lampu 1', '12.09', '12.09.19', 2.98, 99.6, '{"panel": "P-01", "feeder": "P-01-A"}'),
    ('gauge', 'water_level', 'Buntu Pane', '12.09', '12.09.16', 2.86, 99.49,
     '{"siaga_3_m": 2.0, "siaga_2_m": 2.5, "siaga_1_m": 3.0, "river": "Silau"}'),
    ('counter', 'traffic', 'Jl. Sutomo', '12.09', '12.09.20', 2.98, 99.62, '{"site": "Jl. Sutomo"}');
INSERT INTO reading_water_level (device_id, ts, received_at, seq, boot, qc, qc_reason, level_m, rain_mm) VALUES
    ('gauge', '2026-11-17 10:00Z', '2026-11-17 10:00:01Z', 1, 'a', 1, 0, 1.5, 0.2),
    ('gauge', '2026-11-24 11:00Z', '2026-11-24 11:00:01Z', 2, 'a', 1, 0, 1.9, 0.4),
    ('gauge', '2026-11-24 11:10Z', '2026-11-24 11:10:01Z', 3, 'a', 1, 0, 2.1, 0.6),
    ('gauge', '2026-11-24 11:20Z', '2026-11-24 11:20:01Z', 5, 'a', 1, 0, 2.6, 0.0);
INSERT INTO reading_streetlight (device_id, ts, received_at, seq, boot, qc, qc_reason, power_w, energy_wh) VALUES
    ('lamp', '2026-11-24 11:00Z', '2026-11-24 11:00:01Z', 1, 'a', 1, 0, 60, 1000),
    ('lamp', '2026-11-24 11:15Z', '2026-11-24 11:15:01Z', 2, 'a', 1, 0, 61, 1015),
    ('lamp', '2026-11-24 11:30Z', '2026-11-24 11:30:01Z', 3, 'a', 4, 1, 9999, 1030);
INSERT INTO reading_traffic (device_id, ts, received_at, qc, qc_reason, period_s, count, speed_kmh) VALUES
    ('counter', '2026-11-24 11:00Z', '2026-11-24 11:00:01Z', 1, 0, 300, 40, 35),
    ('counter', '2026-11-24 11:05Z', '2026-11-24 11:05:01Z', 1, 0, 300, 0, NULL);
-- The week before is rolled up, this one waits: of the gauge by device, of the others whole.
INSERT INTO rollup_water_level_5m (device_id, bucket, n, n_good, level_m_avg, level_m_min, level_m_max, level_m_last,
                                   level_m_w, rain_mm_sum)
VALUES ('gauge', '2026-11-17 10:00Z', 1, 1, 1.5, 1.5, 1.5, 1.5, 1, 0.2);
INSERT INTO rollup_water_level_1h SELECT * FROM rollup_water_level_5m;
INSERT INTO rollup_water_level_1d SELECT * FROM rollup_water_level_5m;
UPDATE rollup_water_level_1d SET bucket = '2026-11-16 17:00Z';
INSERT INTO rollup_mark (kind, bucket, device_id)
    SELECT 'water_level', ts, device_id FROM reading_water_level WHERE ts > '2026-11-24 00:00Z'
    UNION ALL SELECT 'streetlight', ts, NULL FROM reading_streetlight UNION ALL SELECT 'traffic', ts, NULL FROM reading_traffic;
INSERT INTO latest (device_id, kind, ts, received_at, seq, boot, qc, qc_reason, "values") VALUES
    ('gauge', 'water_level', '2026-11-24 11:20Z', '2026-11-24 11:20:01Z', 5, 'a', 1, 0, '{"level_m": 2.6, "rain_mm": 0.0}'),
    ('lamp', 'streetlight', '2026-11-24 11:30Z', '2026-11-24 11:30:01Z', 3, 'a', 4, 1, '{"power_w": 9999, "energy_wh": 1030}'),
    ('counter', 'traffic', '2026-11-24 11:05Z', '2026-11-24 11:05:01Z', NULL, NULL, 1, 0, '{"count": 0, "period_s": 300}');
INSERT INTO ledger (device_id, hour, received, stored, duplicate, conflict, quarantined) VALUES
    ('gauge', '2026-11-17 10:00Z', 1, 1, 0, 0, 0), ('gauge', '2026-11-24 11:00Z', 6, 3, 1, 0, 2),
    ('lamp', '2026-11-24 11:00Z', 3, 3, 0, 0, 0), ('counter', '2026-11-24 11:00Z', 2, 2, 0, 0, 0),
    ('stranger', '2026-11-24 11:00Z', 1, 0, 0, 0, 1);
INSERT INTO quarantine (reason, fingerprint, device_id, topic, digest, payload, detail, day, first_seen, last_seen, count)
VALUES
    ('malformed', 'malformed/json', 'gauge', 'siaga/v1/12.09/gauge/readings', '\x01', '{"level_m": 2,6}', 'no JSON',
     '2026-11-24', '2026-11-24 11:05Z', '2026-11-24 11:06Z', 2),
    ('unknown_device', 'unknown_device/stranger', 'stranger', 'siaga/v1/12.09/stranger/readings', '\x02',
     '{"ts": "2026-11-24T11:00:00Z", "level_m": 1.0}', 'nobody registered it', '2026-11-24', '2026-11-24 11:07Z',
     '2026-11-24 11:07Z', 1);
INSERT INTO alert (rule, device_id, kind, metric, severity, peak_severity, siaga, active, acked, historical, raised_at,
                   detected_at, cleared_at, acked_at, acked_by, comment, value)
VALUES
    ('siaga', 'gauge', 'water_level', 'level_m', 2, 2, 2, true, false, false, '2026-11-24 11:20Z', '2026-11-24 11:20:01Z',
     NULL, NULL, NULL, NULL, 2.6),
    ('voltage_low', 'lamp', 'streetlight', 'voltage_v', 1, 2, NULL, false, true, false, '2026-11-20 10:00Z',
     '2026-11-20 10:00:01Z', '2026-11-20 11:00Z', '2026-11-20 10:30Z', 'sari', 'PLN kabari', 190),
    ('voltage_low', 'lamp', 'streetlight', 'voltage_v', 1, 1, NULL, false, false, true, '2026-11-10 10:00Z',
     '2026-11-12 10:00Z', '2026-11-10 11:00Z', NULL, NULL, NULL, 195);
INSERT INTO transition (alert_id, what, from_severity, to_severity, siaga, event_at, detected_at, who, why, value) VALUES
    (2, 'raised', NULL, 2, NULL, '2026-11-20 10:00Z', '2026-11-20 10:00:01Z', NULL, NULL, 190),
    (2, 'acked', 2, 2, NULL, '2026-11-20 10:30Z', '2026-11-20 10:30Z', 'sari', 'PLN kabari', NULL),
    (2, 'cleared', 2, NULL, NULL, '2026-11-20 11:00Z', '2026-11-20 11:00:01Z', NULL, NULL, 200),
    (3, 'raised', NULL, 1, NULL, '2026-11-10 10:00Z', '2026-11-12 10:00Z', NULL, NULL, 195),
    (3, 'cleared', 1, NULL, NULL, '2026-11-10 11:00Z', '2026-11-12 10:00Z', NULL, NULL, 200),
    (1, 'raised', NULL, 2, 2, '2026-11-24 11:20Z', '2026-11-24 11:20:01Z', NULL, NULL, 2.6);
-- As states were then: without the peak.
INSERT INTO alert_state (rule, device_id, state) VALUES
    ('siaga', 'gauge', '{"rung": 2, "on_since": [1795518600.0, 1795519200.0, null], "on_count": [2, 1, 0],
                         "off_since": [null, null, null], "historical": false}');
INSERT INTO notice (transition_id, channel, tries, sent_at, gave_up, error) VALUES
    (1, 'telegram', 1, '2026-11-20 10:00:05Z', false, NULL), (3, 'telegram', 8, NULL, true, 'refused');
INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('default', 'notify', '{"transition_id": 6}');
INSERT INTO api_key (name, digest, role) VALUES ('a key of then', sha256('key-of-then'), 'admin');
INSERT INTO session (digest, what, name, role, expires_at) VALUES ('\x0a', 'session', 'sari', 'operator', '2027-11-24 00:00Z');
INSERT INTO part (name, state, detail, beat_at) VALUES ('ingest', 'up', '3.0 packets/s', '2026-11-24 11:30Z');
