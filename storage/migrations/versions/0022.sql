-- What a session is called at the broker. A name that can be guessed can be taken over there, and what waits for it is lost
-- (docs/identity.md), so new ones have a random end; those that are kept at the broker by now keep their name.
ALTER TABLE ingest_session ADD COLUMN session_id text COLLATE "C";
UPDATE ingest_session SET session_id = client_id;
ALTER TABLE ingest_session ALTER COLUMN session_id SET NOT NULL;
