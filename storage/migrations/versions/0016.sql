-- People who sign in. password: argon2id with its parameters; null: only by OIDC. regions null: all of them.
CREATE TABLE app_user (
    name       text PRIMARY KEY,
    role       text NOT NULL CHECK (role IN ('viewer', 'operator', 'engineer', 'admin')),
    regions    text[] CHECK (cardinality(regions) > 0),
    password   text,
    subject    text UNIQUE,  -- who it is to the OIDC provider: issuer and sub
    disabled   boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- owner: whose key it is; it can do no more than they. null: the installation's.
ALTER TABLE api_key
    ADD COLUMN regions      text[] CHECK (cardinality(regions) > 0),
    ADD COLUMN owner        text REFERENCES app_user (name),
    ADD COLUMN last_used_at timestamptz,
    ADD COLUMN revoked_at   timestamptz;

-- A session or a sign-in token is somebody's, and ends with what they may do: a user, or who holds a key.
DELETE FROM session;
ALTER TABLE session
    ADD COLUMN id      bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN owner   text REFERENCES app_user (name),
    ADD COLUMN key_id  bigint REFERENCES api_key (id) ON DELETE CASCADE,
    ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN address text,
    ADD CHECK (owner IS NULL OR key_id IS NULL);

-- Failed sign-ins of a name, whether there is one or not, and from an address; no further try before `until`.
CREATE TABLE sign_in_failure (
    what   text NOT NULL CHECK (what IN ('name', 'address')),
    whose  text NOT NULL,
    failed integer NOT NULL,
    until  timestamptz NOT NULL,
    PRIMARY KEY (what, whose)
);
CREATE INDEX sign_in_failure_until ON sign_in_failure (until);

-- What people did: rows are only ever added.
CREATE TABLE audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    who     text NOT NULL,
    by      text NOT NULL CHECK (by IN ('user', 'key', 'link', 'command', 'nobody')),
    what    text NOT NULL,
    subject text,
    request text,
    address text,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_who ON audit (who, id DESC);
CREATE INDEX audit_subject ON audit (subject, id DESC);
CREATE INDEX audit_at ON audit (at);

CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();

-- A change that a caller of the API makes: siaga.caller says who it is (api/context.py). Whoever has not said it, as
-- ingest and worker, leaves no line. Arguments: what it is called, and the column that names what was changed.
CREATE FUNCTION audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    caller jsonb := current_setting('siaga.caller');
    rows bigint;
    subjects text[];
BEGIN
    EXECUTE format('SELECT count(*), (array_agg(DISTINCT %I::text))[:100] FROM changed', TG_ARGV[1])
        INTO rows, subjects;
    IF rows > 0 THEN
        INSERT INTO public.audit (who, by, what, subject, request, address, details)
        VALUES (caller ->> 'who', caller ->> 'by', TG_ARGV[0], CASE WHEN cardinality(subjects) = 1 THEN subjects[1] END,
                caller ->> 'request', caller ->> 'address',
                jsonb_build_object('rows', rows, 'subjects', subjects));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audited AFTER INSERT ON device REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('device.added', 'id');
CREATE TRIGGER audited_too AFTER UPDATE ON device REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('device.changed', 'id');
CREATE TRIGGER audited AFTER INSERT ON rule_version REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('rule.changed', 'rule');
CREATE TRIGGER audited AFTER INSERT ON quarantine_event REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('quarantine.acted', 'entry_id');
CREATE TRIGGER audited AFTER INSERT ON transition REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('alert.acted', 'alert_id');
CREATE TRIGGER audited AFTER DELETE ON shelf REFERENCING OLD TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('shelf.ended', 'rule');
CREATE TRIGGER audited AFTER INSERT ON service_window REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('window.made', 'id');
CREATE TRIGGER audited_too AFTER UPDATE ON service_window REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('window.ended', 'id');
CREATE TRIGGER audited AFTER INSERT ON duty REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('duty.made', 'id');
CREATE TRIGGER audited_too AFTER UPDATE ON duty REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('duty.ended', 'id');
CREATE TRIGGER audited AFTER UPDATE ON delivery REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('notice.retried', 'id');

-- Regions of a caller who is limited to some: siaga.regions (storage/scope.py). What ON CONFLICT finds, a view does not
-- hide: without this an import could take a device away from another region.
CREATE FUNCTION device_is_theirs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    regions text := current_setting('siaga.regions', true);
BEGIN
    IF regions IS NOT NULL AND (OLD.region = ANY (string_to_array(regions, ','))) IS NOT TRUE THEN
        RAISE EXCEPTION 'device % is not of these regions', OLD.id USING ERRCODE = 'with_check_option_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER theirs BEFORE UPDATE OR DELETE ON device FOR EACH ROW EXECUTE FUNCTION device_is_theirs();
CREATE INDEX device_region ON device (region);
