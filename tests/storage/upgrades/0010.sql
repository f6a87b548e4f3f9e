INSERT INTO shelf (rule, device_id, until, severity, who, why)
VALUES ('voltage_low', 'lamp', '2027-11-24 00:00Z', 2, 'sari', 'PLN bekerja');
INSERT INTO service_window (what, scope, name, from_at, until, reason, who, created_at)
VALUES ('maintenance', 'panel', 'P-01', '2026-11-24 01:00Z', '2026-11-24 05:00Z', 'ganti kontaktor', 'sari', '2026-11-23 00:00Z');
UPDATE alert SET assignee = 'budi', version = version + 1 WHERE id = 1;
INSERT INTO transition (alert_id, what, from_severity, to_severity, siaga, event_at, detected_at, who, assignee)
VALUES (1, 'assigned', 2, 2, 2, '2026-11-24 11:45Z', '2026-11-24 11:45Z', 'sari', 'budi');
