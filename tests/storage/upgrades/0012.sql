INSERT INTO grouping (event_id, rules_version) SELECT max(id), 1 FROM transition;
