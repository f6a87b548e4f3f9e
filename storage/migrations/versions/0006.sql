-- What retention may have dropped: everything of this kind and level (raw readings or a rollup) before a time. A reading
-- that comes later than that makes a rollup where there is none, and never changes one: most of what it was made of is gone.
CREATE TABLE closed (
    kind   text NOT NULL,
    level  text NOT NULL CHECK (level IN ('raw', '5m', '1h', '1d')),
    until  timestamptz NOT NULL,
    PRIMARY KEY (kind, level)
);
