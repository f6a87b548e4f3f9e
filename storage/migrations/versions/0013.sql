-- Notices by a plan: what is worth telling, what waits to be told together, whom was told what, who escalates next.

-- The outbox: committed with the transition that is worth a notice; gone when the plan has been asked about it.
CREATE TABLE notice_outbox (
    transition_id bigint PRIMARY KEY REFERENCES transition (id),
    why           text NOT NULL CHECK (why IN ('new', 'worse', 'now live', 'back'))
);

-- What a route will tell of an alert, and when. Rows of one (route, group_key) go out together; quiet ones, which wait
-- for the end of the quiet hours, with all such of their route.
CREATE TABLE notice_waiting (
    route     text NOT NULL,
    alert_id  bigint NOT NULL REFERENCES alert (id),
    group_key text NOT NULL,
    why       text NOT NULL CHECK (why IN ('new', 'worse', 'now live', 'back', 'again', 'over')),
    quiet     boolean NOT NULL,
    due_at    timestamptz NOT NULL,
    PRIMARY KEY (route, alert_id)
);
CREATE INDEX notice_waiting_due ON notice_waiting (due_at);

-- People were told of this alert on this route. open: and not yet that it is over; opened_at: since when.
-- stopped: somebody looks after it, or it is out of sight, so neither a step nor a repetition comes.
CREATE TABLE page (
    alert_id     bigint NOT NULL REFERENCES alert (id),
    route        text NOT NULL,
    group_key    text NOT NULL,
    open         boolean NOT NULL DEFAULT true,
    opened_at    timestamptz NOT NULL,
    step         smallint NOT NULL,
    next_step_at timestamptz,
    repeat_at    timestamptz,
    stopped      text CHECK (stopped IN ('acked', 'held')),
    PRIMARY KEY (alert_id, route)
);
CREATE INDEX page_open ON page (alert_id) WHERE open;

-- One message to one person on one channel. sent_at is written after sending, so a crash repeats, never loses.
-- gave_up: a dead letter; nobody tries it again unless asked to. note: what is to be known about the choice of person.
CREATE TABLE delivery (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at     timestamptz NOT NULL,
    who         text NOT NULL,
    channel     text NOT NULL,
    language    text NOT NULL CHECK (language IN ('id', 'en')),
    route       text NOT NULL,
    group_key   text NOT NULL,
    step        smallint NOT NULL,
    what        text NOT NULL CHECK (what IN ('raised', 'worse', 'repeat', 'escalated', 'over', 'digest')),
    severity    smallint NOT NULL CHECK (severity BETWEEN 0 AND 3),
    title       text NOT NULL,
    body        text NOT NULL,
    note        text,
    tries       integer NOT NULL DEFAULT 0,
    next_try_at timestamptz,
    sent_at     timestamptz,
    gave_up     boolean NOT NULL DEFAULT false,
    error       text
);
CREATE INDEX delivery_group ON delivery (route, group_key, made_at DESC);
CREATE INDEX delivery_waiting ON delivery (id) WHERE sent_at IS NULL AND NOT gave_up;
CREATE INDEX delivery_dead ON delivery (id) WHERE gave_up;
CREATE TABLE delivery_alert (
    alert_id    bigint NOT NULL REFERENCES alert (id),
    delivery_id bigint NOT NULL REFERENCES delivery (id),
    PRIMARY KEY (alert_id, delivery_id)
);
CREATE INDEX delivery_alert_delivery ON delivery_alert (delivery_id);

-- The roster: who of a team is on duty when. A row is written when it is made and once more when it is ended early.
CREATE TABLE duty (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team       text NOT NULL,
    person     text NOT NULL,
    from_at    timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    who        text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    ended_by   text,
    CHECK (until > from_at)
);
CREATE INDEX duty_standing ON duty (until) WHERE ended_at IS NULL;

-- What was told so far, as the plan of two settings would have: whoever was told is told of the end.
WITH old AS (
    SELECT n.*, t.alert_id, t.detected_at, a.rule, a.device_id, a.peak_severity,
        CASE t.what WHEN 'cleared' THEN 'over' WHEN 'worsened' THEN 'worse' ELSE 'raised' END AS what
    FROM notice AS n JOIN transition AS t ON t.id = n.transition_id JOIN alert AS a ON a.id = t.alert_id
), made AS (
    INSERT INTO delivery (made_at, who, channel, language, route, group_key, step, what, severity, title, body, tries,
                          sent_at, gave_up, error)
    SELECT detected_at, 'everybody', channel, 'id', 'all', 'transition=' || transition_id, 0, what, peak_severity,
        device_id || ': ' || rule, '', tries, sent_at, gave_up, error
    FROM old ORDER BY transition_id, channel
    RETURNING id, group_key
)
INSERT INTO delivery_alert (alert_id, delivery_id)
SELECT t.alert_id, m.id FROM made AS m JOIN transition AS t ON m.group_key = 'transition=' || t.id;
INSERT INTO page (alert_id, route, group_key, opened_at, step)
SELECT id, 'all', 'rule=' || rule || ', device=' || device_id, least(detected_at, raised_at), 0
FROM alert WHERE told AND (active OR id IN (
    SELECT t.alert_id FROM procrastinate_jobs AS j JOIN transition AS t ON t.id = (j.args ->> 'transition_id')::bigint
    WHERE j.task_name = 'notify' AND j.status IN ('todo', 'doing') AND t.what = 'cleared'));
-- Jobs that had not yet run say what they had to say through the outbox.
INSERT INTO notice_outbox (transition_id, why)
SELECT DISTINCT t.id, CASE t.what WHEN 'raised' THEN 'new' WHEN 'worsened' THEN 'worse' WHEN 'went_live' THEN 'now live'
                      ELSE 'back' END
FROM procrastinate_jobs AS j JOIN transition AS t ON t.id = (j.args ->> 'transition_id')::bigint
WHERE j.task_name = 'notify' AND j.status IN ('todo', 'doing') AND t.what <> 'cleared';
DELETE FROM procrastinate_jobs WHERE task_name = 'notify';
DROP TABLE notice;
ALTER TABLE alert DROP COLUMN told;
