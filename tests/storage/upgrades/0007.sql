INSERT INTO archived (table_name, since, until, file, rows, bytes, sha256, archived_at, dropped_at)
VALUES ('reading_water_level', '2026-08-17 00:00Z', '2026-08-24 00:00Z', 'water_level/20260817.parquet', 7, 700, '\x07',
        '2026-11-23 00:00Z', '2026-11-23 00:00Z');
INSERT INTO retention (kind, level, keep_days, ran_at, next_at, dropped, held)
VALUES ('water_level', 'raw', 90, '2026-11-23 00:00Z', '2026-11-24 00:00Z', 1, 0);
