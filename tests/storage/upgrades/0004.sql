INSERT INTO ingest_session (client_id, filters, committed_at, pace_s)
VALUES ('siaga-ingest', '{siaga/v1/+/+/readings}', '2026-11-24 11:30Z', 300);
