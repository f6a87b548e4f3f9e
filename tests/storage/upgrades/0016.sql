INSERT INTO app_user (name, role, regions, password) VALUES ('sari', 'operator', '{12.09}', '$argon2id$not-a-password');
INSERT INTO session (digest, what, name, role, expires_at, owner)
VALUES ('\x0b', 'session', 'sari', 'operator', '2027-11-24 00:00Z', 'sari');
INSERT INTO sign_in_failure (what, whose, failed, until) VALUES ('name', 'budi', 3, '2026-11-24 11:00Z');
INSERT INTO audit (who, by, what, subject) VALUES ('sari', 'user', 'device.changed', 'lamp');
