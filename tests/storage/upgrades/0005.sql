INSERT INTO ledger_missing (device_id, hour, missing) VALUES ('gauge', '2026-11-24 11:00Z', 1);
INSERT INTO ledger_sum (hour, kind, district, received, stored, duplicate, conflict, quarantined, missing, expected, met,
                        summed_at)
VALUES ('2026-11-17 10:00Z', 'water_level', '12.09.16', 1, 1, 0, 0, 0, 0, 6, 1, '2026-11-17 11:00Z');
