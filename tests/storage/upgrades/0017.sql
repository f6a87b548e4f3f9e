INSERT INTO inbox (who, key, digest, regions, topics, payloads, posted_at, done_at, answer)
VALUES ('vendor', 'once', '\x0c', '{}', '{siaga/v1/12.09/lamp/readings}', '{"\\x7b7d"}', '2026-11-24 11:00Z',
        '2026-11-24 11:00:01Z', '{}');
