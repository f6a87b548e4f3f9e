-- Who may connect to the broker, as it should be (storage/credentials.py); worker/broker/ brings the broker there.
-- name: a device, a gateway that devices name in theirs, an integration with topics of its own, or siaga.shared.
-- No secret: a password follows from a key outside the database, the name and the generation. hash: its bcrypt.
CREATE TABLE credential (
    name       text COLLATE "C" PRIMARY KEY,
    mode       text NOT NULL CHECK (mode IN ('password', 'certificate')),
    generation integer NOT NULL CHECK (generation > 0),
    hash       text NOT NULL,
    topics     text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX credential_changed_at ON credential (changed_at);
CREATE INDEX credential_expires_at ON credential (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX device_gateway ON device ((attributes ->> 'gateway')) WHERE attributes ? 'gateway';

-- A line for what was issued and one for what was revoked; of many the names of the first hundred.
CREATE FUNCTION audit_credential() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    caller jsonb := current_setting('siaga.caller');
BEGIN
    INSERT INTO public.audit (who, by, what, subject, request, address, details)
    SELECT caller ->> 'who', caller ->> 'by', each.what, CASE WHEN count(*) = 1 THEN min(each.name) END,
           caller ->> 'request', caller ->> 'address',
           jsonb_build_object('rows', count(*), 'subjects', (array_agg(each.name ORDER BY each.name))[:100],
                              'generation', max(each.generation), 'expires_at', max(each.expires_at))
    FROM (SELECT c.*, CASE WHEN c.revoked_at IS NULL THEN 'credential.issued' ELSE 'credential.revoked' END AS what
          FROM changed AS c) AS each
    GROUP BY each.what;
    RETURN NULL;
END $$;
CREATE TRIGGER audited AFTER INSERT ON credential REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_credential();
CREATE TRIGGER audited_too AFTER UPDATE ON credential REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_credential();
