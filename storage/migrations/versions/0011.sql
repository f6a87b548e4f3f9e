-- Every change of a rule, append-only; the newest of each (rule, kind, scope) counts. Shipped rules are in the program.
-- version: one number for all rules, in order of commit. definition: the whole rule; null: as shipped again.
CREATE TABLE rule_version (
    version    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule       text NOT NULL,
    kind       text NOT NULL,
    scope      text NOT NULL,
    definition jsonb,
    at         timestamptz NOT NULL,
    who        text NOT NULL,
    why        text NOT NULL
);
CREATE INDEX rule_version_variant ON rule_version (rule, kind, scope, version DESC);
