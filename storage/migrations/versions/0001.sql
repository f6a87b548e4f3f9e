-- The fixed tables. Tables of kinds (reading_*, rollup_*) come from the declarations: storage/kind_tables.py.

CREATE TABLE device (
    id          text COLLATE "C" PRIMARY KEY,
    kind        text NOT NULL,
    name        text,
    region      text,
    district    text,
    lat         double precision,
    lon         double precision,
    attributes  jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    changed_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX device_changed_at ON device (changed_at);
CREATE INDEX device_kind ON device (kind, district);

-- The newest reading of each device by its own clock. Half-empty pages keep its updates in place (HOT).
CREATE TABLE latest (
    device_id   text COLLATE "C" PRIMARY KEY,
    kind        text NOT NULL,
    ts          timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    seq         bigint,
    boot        text,
    qc          smallint NOT NULL,
    qc_reason   integer NOT NULL,
    "values"    jsonb NOT NULL
) WITH (fillfactor = 50);

-- One line per device and hour: received = stored + duplicate + conflict + quarantined.
-- The hour is that of the reading's own ts; of its arrival where ts could not be trusted.
CREATE TABLE ledger (
    device_id   text COLLATE "C" NOT NULL,
    hour        timestamptz NOT NULL,
    received    bigint NOT NULL DEFAULT 0,
    stored      bigint NOT NULL DEFAULT 0,
    duplicate   bigint NOT NULL DEFAULT 0,
    conflict    bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (device_id, hour),
    CHECK (received = stored + duplicate + conflict + quarantined)
) WITH (fillfactor = 70);
CREATE INDEX ledger_hour ON ledger (hour);

-- What could not become a reading, whole. The digest makes a redelivery recognisable; past the daily cap of a
-- device one row per reason (payload null) goes on counting.
CREATE TABLE quarantine (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason      text NOT NULL,
    fingerprint text NOT NULL,
    device_id   text COLLATE "C" NOT NULL,
    topic       text NOT NULL,
    digest      bytea NOT NULL,
    payload     bytea,
    detail      text NOT NULL,
    skew_s      double precision,
    day         date NOT NULL,
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    count       bigint NOT NULL DEFAULT 1,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'claimed', 'replayed', 'discarded')),
    UNIQUE (device_id, reason, digest)
);
CREATE INDEX quarantine_day ON quarantine (device_id, day);
CREATE INDEX quarantine_fingerprint ON quarantine (fingerprint, last_seen);

-- Severity 0 low … 3 critical. level is the rank within the rule (0 normal); siaga its official digit, if it has one.
CREATE TABLE alert (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule          text NOT NULL,
    device_id     text COLLATE "C" NOT NULL,
    kind          text NOT NULL,
    metric        text,
    severity      smallint NOT NULL CHECK (severity BETWEEN 0 AND 3),
    peak_severity smallint NOT NULL,
    siaga         smallint,
    active        boolean NOT NULL,
    acked         boolean NOT NULL DEFAULT false,
    historical    boolean NOT NULL,
    worsened      boolean NOT NULL DEFAULT false,
    raised_at     timestamptz NOT NULL,
    detected_at   timestamptz NOT NULL,
    cleared_at    timestamptz,
    acked_at      timestamptz,
    acked_by      text,
    comment       text,
    value         double precision,
    open          boolean NOT NULL GENERATED ALWAYS AS (active OR NOT (acked OR historical)) STORED,
    version       integer NOT NULL DEFAULT 1
);
-- At most one open alert per rule and device, whoever evaluates.
CREATE UNIQUE INDEX alert_one_open ON alert (rule, device_id) WHERE open;
CREATE INDEX alert_device ON alert (device_id, raised_at DESC);
CREATE INDEX alert_closed ON alert (raised_at DESC, id DESC) WHERE NOT open;

-- Append-only; the event log that live clients and notices follow. Whoever inserts holds the event log's
-- advisory lock until commit, so ids are in commit order and a cursor never skips one.
CREATE TABLE transition (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id      bigint NOT NULL REFERENCES alert (id),
    what          text NOT NULL,
    from_severity smallint,
    to_severity   smallint,
    siaga         smallint,
    event_at      timestamptz NOT NULL,
    detected_at   timestamptz NOT NULL,
    who           text,
    why           text,
    value         double precision
);
CREATE INDEX transition_alert ON transition (alert_id, id);

-- Where each (rule, device) stands that is not at rest, so that a restart goes on as if nothing had happened.
CREATE TABLE alert_state (
    rule       text NOT NULL,
    device_id  text COLLATE "C" NOT NULL,
    state      jsonb NOT NULL,
    PRIMARY KEY (rule, device_id)
) WITH (fillfactor = 70);

-- What was sent to whom for a transition; done is written after sending, so a crash repeats, never loses.
CREATE TABLE notice (
    transition_id bigint NOT NULL REFERENCES transition (id),
    channel       text NOT NULL,
    tries         integer NOT NULL DEFAULT 0,
    sent_at       timestamptz,
    gave_up       boolean NOT NULL DEFAULT false,
    error         text,
    PRIMARY KEY (transition_id, channel)
);

-- Buckets whose raw rows changed. Append-only: a unique key would make the writer wait for the worker.
-- device_id null means every device that has rows in the bucket.
CREATE TABLE rollup_mark (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,
    bucket     timestamptz NOT NULL,
    device_id  text COLLATE "C"
);
CREATE INDEX rollup_mark_kind ON rollup_mark (kind, device_id, bucket);

CREATE TABLE api_key (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    digest     bytea NOT NULL UNIQUE,
    role       text NOT NULL CHECK (role IN ('viewer', 'operator', 'engineer', 'admin')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);

-- Browser sessions and the one-time tokens that start them (kind 'sign_in'); only digests are kept.
CREATE TABLE session (
    digest     bytea PRIMARY KEY,
    what       text NOT NULL CHECK (what IN ('session', 'sign_in')),
    name       text NOT NULL,
    role       text NOT NULL CHECK (role IN ('viewer', 'operator', 'engineer', 'admin')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

-- Every running part says here every two seconds how it is; /readyz reads it.
CREATE TABLE part (
    name    text PRIMARY KEY,
    state   text NOT NULL CHECK (state IN ('starting', 'up', 'degraded', 'restarting', 'down')),
    detail  text NOT NULL DEFAULT '',
    beat_at timestamptz NOT NULL
);
