INSERT INTO command (device_id, name, args, state, who, batch, made_at, expires_at, ended_at)
VALUES ('lamp', 'set', '{"dimming_pct": 50}', 'expired', 'sari', '00000000-0000-0000-0000-000000000001', '2026-11-24 10:00Z',
        '2026-11-24 10:05Z', '2026-11-24 10:05Z');
INSERT INTO presence (device_id, online, since, heard_at) VALUES ('gauge', true, '2026-11-24 09:00Z', '2026-11-24 11:00Z');
INSERT INTO device_life (device_id, from_at, status, who, reason, made_at)
VALUES ('lamp', '2026-11-01 00:00Z', 'in_service', 'sari', 'dipasang', '2026-10-30 00:00Z');
