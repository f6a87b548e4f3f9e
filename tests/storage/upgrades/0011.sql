INSERT INTO rule_version (rule, kind, scope, definition, at, who, why)
VALUES ('voltage_low', 'streetlight', '', NULL, '2026-11-20 00:00Z', 'sari', 'kembali ke bawaan');
