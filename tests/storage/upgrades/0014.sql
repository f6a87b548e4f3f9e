INSERT INTO alert_review (device_id, since, until) VALUES ('lamp', '2026-11-24 11:00Z', '2026-11-24 11:30Z');
