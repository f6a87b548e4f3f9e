-- What devices are told (storage/commands.py). id goes to the device and comes back with its answer: no database that was
-- put back to an earlier state gives one twice. number: the order. key: of who may ask for the same again. batch: those
-- that one request has made. error: of the device. changed_at: for who follows.
CREATE TABLE command (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    device_id  text COLLATE "C" NOT NULL,
    name       text NOT NULL,
    args       jsonb NOT NULL,
    state      text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'done', 'failed', 'expired')),
    who        text NOT NULL,
    reason     text,
    key        text,
    batch      uuid NOT NULL,
    made_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    sent_at    timestamptz,
    ended_at   timestamptz,
    error      text,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((ended_at IS NULL) = (state IN ('queued', 'sent')))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX command_key ON command (who, key, device_id) WHERE key IS NOT NULL;
CREATE INDEX command_queued ON command (number) WHERE state = 'queued';
CREATE INDEX command_open ON command (expires_at) WHERE ended_at IS NULL;
CREATE INDEX command_device ON command (device_id, number DESC);
CREATE INDEX command_batch ON command (batch, number DESC);
CREATE INDEX command_changed ON command (changed_at);

-- Of one request one line, with what was asked for.
CREATE FUNCTION audit_command() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    caller jsonb := current_setting('siaga.caller');
BEGIN
    INSERT INTO public.audit (who, by, what, subject, request, address, details)
    SELECT caller ->> 'who', caller ->> 'by', 'command.asked', CASE WHEN count(*) = 1 THEN min(device_id) END,
        caller ->> 'request', caller ->> 'address',
        jsonb_build_object('rows', count(*), 'subjects', to_jsonb((array_agg(device_id ORDER BY number))[:100]),
                           'name', name, 'args', args, 'reason', reason)
    FROM changed GROUP BY batch, name, args, reason;
    RETURN NULL;
END $$;
CREATE TRIGGER audited AFTER INSERT ON command REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_command();

-- Whether a device is connected, as it says itself or its last will does (storage/presence.py). since: when we were told
-- so first; heard_at: when last; changes: how often it came and went.
CREATE TABLE presence (
    device_id  text COLLATE "C" PRIMARY KEY,
    online     boolean NOT NULL,
    since      timestamptz NOT NULL,
    heard_at   timestamptz NOT NULL,
    changes    bigint NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
CREATE INDEX presence_changed ON presence (changed_at);

-- The life of a device (storage/life.py): device.status is what stands now; a date to come is taken over when it is there.
ALTER TABLE device
    ADD COLUMN status text NOT NULL DEFAULT 'in_service' CHECK (status IN ('planned', 'in_service', 'retired'));
CREATE TABLE device_life (
    device_id text COLLATE "C" NOT NULL,
    from_at   timestamptz NOT NULL,
    status    text NOT NULL CHECK (status IN ('planned', 'in_service', 'retired')),
    who       text NOT NULL,
    reason    text NOT NULL,
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (device_id, from_at)
);
CREATE INDEX device_life_from ON device_life (from_at);
CREATE TRIGGER audited AFTER INSERT ON device_life REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('device.life', 'device_id');
CREATE TRIGGER audited_too AFTER UPDATE ON device_life REFERENCING NEW TABLE AS changed FOR EACH STATEMENT
    WHEN (current_setting('siaga.caller', true) <> '') EXECUTE FUNCTION audit_change('device.life', 'device_id');

-- What a device belonged to, from when: a lamp to its feeder and panel, all to their district. A row for each change,
-- whoever makes it; the last is that of the device itself.
CREATE TABLE device_history (
    device_id  text COLLATE "C" NOT NULL,
    valid_from timestamptz NOT NULL,
    region     text,
    district   text,
    attributes jsonb NOT NULL,
    PRIMARY KEY (device_id, valid_from)
);
INSERT INTO device_history SELECT id, created_at, region, district, attributes FROM device;

CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO public.device_history
        SELECT id, changed_at, region, district, attributes FROM changed
        ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO public.device_history
        SELECT n.id, clock_timestamp(), n.region, n.district, n.attributes FROM changed AS n JOIN former AS o USING (id)
        WHERE (n.region, n.district, n.attributes) IS DISTINCT FROM (o.region, o.district, o.attributes)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER remembered AFTER INSERT ON device REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION keep_history();
CREATE TRIGGER remembered_too AFTER UPDATE ON device REFERENCING NEW TABLE AS changed OLD TABLE AS former
    FOR EACH STATEMENT EXECUTE FUNCTION keep_history();
