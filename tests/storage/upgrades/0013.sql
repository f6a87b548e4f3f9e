INSERT INTO notice_outbox (transition_id, why) VALUES (7, 'new') ON CONFLICT DO NOTHING;
INSERT INTO notice_waiting (route, alert_id, group_key, why, quiet, due_at)
VALUES ('sungai', 1, 'river=Silau', 'new', false, '2026-11-24 11:46Z');
INSERT INTO page (alert_id, route, group_key, opened_at, step)
VALUES (1, 'sungai', 'river=Silau', '2026-11-24 11:21Z', 1);
INSERT INTO delivery (made_at, who, channel, language, route, group_key, step, what, severity, title, body, tries, sent_at)
VALUES ('2026-11-24 11:21Z', 'budi', 'sms', 'id', 'sungai', 'river=Silau', 0, 'raised', 2, 'Siaga 2', 'Buntu Pane 2,60 m', 1,
        '2026-11-24 11:21:05Z');
INSERT INTO delivery_alert (alert_id, delivery_id) SELECT 1, max(id) FROM delivery;
INSERT INTO duty (team, person, from_at, until, who, created_at)
VALUES ('malam', 'budi', '2026-11-24 10:00Z', '2026-11-24 22:00Z', 'sari', '2026-11-23 00:00Z');
INSERT INTO procrastinate_jobs (queue_name, task_name, args) SELECT 'default', 'send', jsonb_build_object('delivery_id', max(id)) FROM delivery;
