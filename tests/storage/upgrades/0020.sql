INSERT INTO credential (name, mode, generation, hash, created_at, created_by, changed_at)
VALUES ('gauge', 'password', 1, '$2b$04$not-a-password', '2026-11-24 00:00Z', 'sari', '2026-11-24 00:00Z');
