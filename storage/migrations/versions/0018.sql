-- Handovers of a shift (storage/handover.py): what whoever hands over has signed, as it was told then, and the signature
-- of whoever takes over. Rows are only ever added. regions: of who wrote it; null: all of them.
CREATE TABLE handover (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    since    timestamptz NOT NULL,
    given_at timestamptz NOT NULL,
    given_by text NOT NULL,
    regions  text[],
    notes    text NOT NULL,
    told     jsonb NOT NULL
);
-- changed: what was not any more as it was signed first. reason: of who signed alone.
CREATE TABLE handover_taken (
    handover_id bigint PRIMARY KEY REFERENCES handover (id),
    taken_at    timestamptz NOT NULL,
    taken_by    text NOT NULL,
    reason      text,
    changed     jsonb NOT NULL
);

CREATE FUNCTION handover_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a handover that is signed stays as it is' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON handover
    FOR EACH STATEMENT EXECUTE FUNCTION handover_stays();
CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON handover_taken
    FOR EACH STATEMENT EXECUTE FUNCTION handover_stays();

CREATE TRIGGER audited AFTER INSERT ON handover REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('handover.given', 'id');
CREATE TRIGGER audited AFTER INSERT ON handover_taken REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('handover.taken', 'handover_id');
