INSERT INTO closed (kind, level, until) VALUES ('water_level', 'raw', '2026-08-24 00:00Z');
