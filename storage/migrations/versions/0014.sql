-- Readings that came after newer ones, or late under a live alert: what they make of the past is looked at afterwards.
-- One row a device and batch. looked: time of the newest reading when what was affected still stood; null: not looked at.
CREATE TABLE alert_review (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id text COLLATE "C" NOT NULL,
    since     timestamptz NOT NULL,
    until     timestamptz NOT NULL,
    looked    timestamptz
);
CREATE INDEX alert_review_device ON alert_review (device_id);
-- superseded: late readings tell it otherwise; superseded_by: the alert that tells it, where there was one at all.
ALTER TABLE alert
    ADD COLUMN superseded    boolean NOT NULL DEFAULT false,
    ADD COLUMN superseded_by bigint REFERENCES alert (id);
