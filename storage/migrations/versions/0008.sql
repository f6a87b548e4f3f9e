-- Days of a kind whose groups (group_*) are to be computed again: append-only, as rollup_mark.
CREATE TABLE group_mark (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    day  timestamptz NOT NULL
);
CREATE INDEX group_mark_day ON group_mark (kind, day);
