-- Each MQTT session that ingest serves, or has served: what it subscribes to, and when it last committed what arrived.
-- The row stays when the process ends: the watchdog of the worker misses who does not come back.
CREATE TABLE ingest_session (
    client_id    text COLLATE "C" PRIMARY KEY,
    filters      text[] NOT NULL,
    committed_at timestamptz,
    pace_s       double precision  -- what the quickest kind of device in service takes between two readings
) WITH (fillfactor = 50);

-- What a part says of itself in numbers, beside the sentence.
ALTER TABLE part ADD COLUMN facts jsonb NOT NULL DEFAULT '{}';
