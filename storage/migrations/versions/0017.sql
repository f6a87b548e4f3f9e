-- Readings that came over HTTP, from the request to the commit (storage/inbox.py). An item without a device has no topic.
CREATE TABLE inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    who text NOT NULL,
    key text,
    digest bytea NOT NULL,
    regions text[] NOT NULL,
    topics text[] NOT NULL,
    payloads bytea[] NOT NULL,
    posted_at timestamptz NOT NULL,
    done_at timestamptz,
    answer text
);
CREATE UNIQUE INDEX inbox_key ON inbox (who, key) WHERE key IS NOT NULL;
CREATE INDEX inbox_waiting ON inbox (id) WHERE done_at IS NULL;
CREATE INDEX inbox_done ON inbox (done_at);
CREATE INDEX inbox_done_once ON inbox (done_at) WHERE key IS NULL;
