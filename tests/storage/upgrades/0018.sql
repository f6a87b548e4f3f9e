INSERT INTO handover (since, given_at, given_by, notes, told) VALUES ('2026-11-23 00:00Z', '2026-11-24 00:00Z', 'sari', 'tenang', '{}');
INSERT INTO handover_taken (handover_id, taken_at, taken_by, changed) VALUES (1, '2026-11-24 00:05Z', 'budi', '[]');
