INSERT INTO forecast (device_id, as_of, siaga, made_at, bound_m, level_m, slope_m_h, points, basis, stage, expected_at,
                      earliest, latest, until, holds, outcome, reached_at, error)
VALUES ('gauge', '2026-11-24 11:10Z', 2, '2026-11-24 11:10:05Z', 2.5, 2.1, 1.2, 12, 'own', 'warning',
        '2026-11-24 11:30Z', '2026-11-24 11:20Z', '2026-11-24 12:00Z', '2026-11-24 17:10Z', false, 'hit',
        '2026-11-24 11:20Z', -0.3),
       ('gauge', '2026-11-24 11:20Z', 1, '2026-11-24 11:20:05Z', 3.0, 2.6, 1.2, 12, 'own', 'advisory',
        '2026-11-24 11:50Z', '2026-11-24 11:40Z', '2026-11-24 12:30Z', '2026-11-24 17:20Z', true, NULL, NULL, NULL);
INSERT INTO forecast_crossing (device_id, siaga, at) VALUES ('gauge', 2, '2026-11-24 11:20Z');
INSERT INTO forecast_seen (device_id, seen_until, good_at) VALUES ('gauge', '2026-11-24 11:20Z', '2026-11-24 11:20Z');
INSERT INTO forecast_lag (device_id, upstream, lag_s, gain, alike, waves, looked_at)
VALUES ('gauge', 'gauge-above', 3600, 0.8, 0.9, 4, '2026-11-24 11:00Z');
