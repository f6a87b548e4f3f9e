-- Quarantine: claim, replay, discard. Nothing here rewrites the table; rows of before have no hour_of.
ALTER TABLE quarantine DROP CONSTRAINT quarantine_state_check;
ALTER TABLE quarantine
    ADD CONSTRAINT quarantine_state_check CHECK (state IN ('open', 'claimed', 'replaying', 'replayed', 'discarded')),
    ADD COLUMN hour_of    timestamptz,  -- the time its ledger line is for; first_seen where null
    ADD COLUMN claimed_by text,
    ADD COLUMN claimed_at timestamptz,
    ADD COLUMN shift_s    double precision,  -- to be added to ts by the replay that is asked for
    ADD COLUMN replay_of  bigint;  -- the entry whose replay failed and became this one
-- Few rows are ever waiting: ingest looks here every few seconds.
CREATE INDEX quarantine_replaying ON quarantine (id) WHERE state = 'replaying';

-- Append-only: who did what with an entry, and what came of it.
CREATE TABLE quarantine_event (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id bigint NOT NULL REFERENCES quarantine (id) ON DELETE CASCADE,
    at       timestamptz NOT NULL,
    who      text NOT NULL,
    what     text NOT NULL CHECK (what IN ('claimed', 'replay', 'replayed', 'reopened', 'discarded')),
    note     text,
    shift_s  double precision,
    outcome  jsonb  -- of a replay: how many readings by what became of them
);
CREATE INDEX quarantine_event_entry ON quarantine_event (entry_id, id);
