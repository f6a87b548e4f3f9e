-- Lines of the ledger that changed and are to be counted: append-only, as rollup_mark.
-- device_id null: that hour is to be summed over the fleet again.
CREATE TABLE ledger_mark (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour      timestamptz NOT NULL,
    device_id text COLLATE "C"
);
CREATE INDEX ledger_mark_device ON ledger_mark (device_id, hour);
INSERT INTO ledger_mark (hour, device_id) SELECT hour, device_id FROM ledger;

-- How many numbers of a device are missing in an hour; without a row none are.
CREATE TABLE ledger_missing (
    device_id text COLLATE "C" NOT NULL,
    hour      timestamptz NOT NULL,
    missing   bigint NOT NULL CHECK (missing > 0),
    PRIMARY KEY (device_id, hour)
);
CREATE INDEX ledger_missing_hour ON ledger_missing (hour);

-- The ledger of the fleet: a line an hour, kind and district ('' of whoever is not registered, or has none).
-- met counts stored readings up to what was expected of their device: met / expected is completeness.
CREATE TABLE ledger_sum (
    hour        timestamptz NOT NULL,
    kind        text NOT NULL,
    district    text NOT NULL,
    received    bigint NOT NULL,
    stored      bigint NOT NULL,
    duplicate   bigint NOT NULL,
    conflict    bigint NOT NULL,
    quarantined bigint NOT NULL,
    missing     bigint NOT NULL,
    expected    bigint NOT NULL,
    met         bigint NOT NULL,
    summed_at   timestamptz NOT NULL,
    PRIMARY KEY (hour, kind, district),
    CHECK (received = stored + duplicate + conflict + quarantined)
);

-- Payloads that nobody needs any more are looked for here.
CREATE INDEX quarantine_ended ON quarantine (last_seen)
    WHERE state IN ('replayed', 'discarded') AND payload IS NOT NULL;
