-- Incidents: alerts that stand for others. How far the event log was followed for them, and under which version of the
-- rules. One row, or none before the first look.
CREATE TABLE grouping (
    one           boolean PRIMARY KEY DEFAULT true CHECK (one),
    event_id      bigint NOT NULL,
    rules_version bigint NOT NULL
);
-- Devices that share an attribute, whichever it is.
CREATE INDEX device_attributes ON device USING gin (attributes jsonb_path_ops);
-- Who was ever under an alert.
CREATE INDEX transition_parent ON transition (parent_id) WHERE parent_id IS NOT NULL;
-- Alerts of a device that stand, or stood lately.
CREATE INDEX alert_cleared ON alert (device_id, cleared_at);
-- Incidents; '$' begins the name of no device.
CREATE INDEX alert_of_group ON alert (raised_at DESC, id DESC) WHERE device_id LIKE '$%';
CREATE INDEX alert_open_group ON alert (rule, device_id) WHERE device_id LIKE '$%/%' AND open;
CREATE INDEX alert_open_under ON alert (parent_id) WHERE parent_id IS NOT NULL AND open;
