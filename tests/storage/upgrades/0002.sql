UPDATE quarantine SET state = 'claimed', claimed_by = 'sari', claimed_at = '2026-11-24 11:40Z' WHERE id = 1;
INSERT INTO quarantine_event (entry_id, at, who, what, note) VALUES (1, '2026-11-24 11:40Z', 'sari', 'claimed', 'koma');
