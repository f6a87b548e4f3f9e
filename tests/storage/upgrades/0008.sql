INSERT INTO group_mark (kind, day) VALUES ('streetlight', '2026-11-23 17:00Z');
