-- What people and the server do to an alert beside acknowledging it: assign, shelve, withhold while work goes on or
-- while another alert stands for it. held: for any of these reasons nobody is shown or told of it.
-- shelved_severity is the severity it was shelved at: a worse one takes it off the shelf.
-- told: a notice of it has gone out since it was raised, so one of its end will follow, held or not.
ALTER TABLE alert
    ADD COLUMN assignee         text,
    ADD COLUMN shelved_until    timestamptz,
    ADD COLUMN shelved_by       text,
    ADD COLUMN shelved_why      text,
    ADD COLUMN shelved_severity smallint,
    ADD COLUMN window_id        bigint,
    ADD COLUMN parent_id        bigint REFERENCES alert (id),
    ADD COLUMN told             boolean NOT NULL DEFAULT false;
-- By the least severity of notices as it is shipped.
UPDATE alert SET told = true WHERE open AND NOT historical AND peak_severity >= 2;
ALTER TABLE alert
    ADD COLUMN held boolean NOT NULL GENERATED ALWAYS AS
        (shelved_until IS NOT NULL OR window_id IS NOT NULL OR parent_id IS NOT NULL) STORED;
CREATE INDEX alert_shelved ON alert (shelved_until) WHERE shelved_until IS NOT NULL;
CREATE INDEX alert_in_window ON alert (window_id) WHERE window_id IS NOT NULL AND open;
CREATE INDEX alert_under ON alert (parent_id) WHERE parent_id IS NOT NULL;

-- until: of shelved. assignee: of assigned. parent_id: of suppressed by another alert. quiet: nobody was shown it as
-- something new, because the alert was historical, shelved or suppressed.
ALTER TABLE transition
    ADD COLUMN until     timestamptz,
    ADD COLUMN assignee  text,
    ADD COLUMN parent_id bigint,
    ADD COLUMN quiet     boolean NOT NULL DEFAULT false;
UPDATE transition AS t SET quiet = true FROM alert AS a WHERE a.id = t.alert_id AND a.historical;
CREATE INDEX transition_detected ON transition (detected_at);

-- Rules that are shelved on a device whatever alerts they raise meanwhile; gone when it is over.
CREATE TABLE shelf (
    rule      text NOT NULL,
    device_id text COLLATE "C" NOT NULL,
    until     timestamptz NOT NULL,
    severity  smallint NOT NULL,
    who       text NOT NULL,
    why       text NOT NULL,
    PRIMARY KEY (rule, device_id)
);
CREATE INDEX shelf_until ON shelf (until);

-- While work goes on: alerts of these devices are stored and withheld. scope 'device', 'district' or a grouping of a
-- kind, name which one. A row is written when it is made and once more when it is ended before its time.
CREATE TABLE service_window (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what       text NOT NULL CHECK (what IN ('maintenance', 'out_of_service')),
    scope      text NOT NULL,
    name       text NOT NULL,
    from_at    timestamptz NOT NULL,
    until      timestamptz,
    reason     text NOT NULL,
    who        text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    ended_by   text,
    ended_why  text,
    CHECK (until > from_at),
    CHECK (until IS NOT NULL OR what = 'out_of_service')
);
CREATE INDEX service_window_standing ON service_window (until) WHERE ended_at IS NULL;
ALTER TABLE alert ADD FOREIGN KEY (window_id) REFERENCES service_window (id);
