-- Files that raw readings were written to before they were dropped. A name is under SIAGA_ARCHIVE_DIR.
-- dropped_at null: what is in the file is still in the database; then a newer file may take its place.
CREATE TABLE archived (
    table_name  text NOT NULL,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    file        text PRIMARY KEY,
    rows        bigint NOT NULL,
    bytes       bigint NOT NULL,
    sha256      bytea NOT NULL,
    archived_at timestamptz NOT NULL,
    dropped_at  timestamptz
);
CREATE UNIQUE INDEX archived_still_there ON archived (table_name, since) WHERE dropped_at IS NULL;

-- What the worker keeps of each kind and level, and what its last run came to.
CREATE TABLE retention (
    kind        text NOT NULL,
    level       text NOT NULL CHECK (level IN ('raw', '5m', '1h', '1d')),
    keep_days   integer NOT NULL,  -- 0: for ever
    ran_at      timestamptz NOT NULL,
    next_at     timestamptz NOT NULL,
    dropped     integer NOT NULL,
    held        integer NOT NULL,  -- parts that had their time and stayed
    why         text,              -- the first of them
    archive_dir text,              -- null: dropped without
    PRIMARY KEY (kind, level)
);
