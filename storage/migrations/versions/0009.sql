-- When a rising gauge was expected at a level: a row per forecast and level (docs/forecasts.md).
-- as_of is the time of the newest reading it was made from, made_at ours. holds: nothing newer says otherwise.
-- outcome: hit (the level was reached by `until`), false (it was not), unknown (too few readings to tell); null: not yet.
-- error: logarithm of how many times longer than expected it took (alerts/forecast_errors.py), of hits.
CREATE TABLE forecast (
    device_id   text COLLATE "C" NOT NULL,
    as_of       timestamptz NOT NULL,
    siaga       smallint NOT NULL CHECK (siaga BETWEEN 1 AND 3),
    made_at     timestamptz NOT NULL,
    bound_m     float8 NOT NULL,
    level_m     float8 NOT NULL,
    slope_m_h   float8 NOT NULL,
    points      smallint NOT NULL,
    basis       text NOT NULL CHECK (basis IN ('own', 'upstream')),
    upstream    text,
    lag_s       float8,
    rose_m      float8,
    stage       text NOT NULL CHECK (stage IN ('watch', 'advisory', 'warning')),
    expected_at timestamptz NOT NULL,
    earliest    timestamptz NOT NULL,
    latest      timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    holds       boolean NOT NULL DEFAULT true,
    outcome     text CHECK (outcome IN ('hit', 'false', 'unknown')),
    reached_at  timestamptz,
    error       float8,
    PRIMARY KEY (device_id, siaga, as_of),
    CHECK (earliest <= expected_at AND expected_at <= latest),
    CHECK ((outcome = 'hit') = (reached_at IS NOT NULL) AND (reached_at IS NULL) = (error IS NULL))
);
CREATE INDEX forecast_holds ON forecast (device_id, as_of) WHERE holds;
CREATE INDEX forecast_newest ON forecast (device_id, as_of);
CREATE INDEX forecast_open ON forecast (device_id, until) WHERE outcome IS NULL;
CREATE INDEX forecast_errors ON forecast (device_id, as_of) WHERE error IS NOT NULL;
CREATE INDEX forecast_all_errors ON forecast (as_of) WHERE error IS NOT NULL;
CREATE INDEX forecast_as_of ON forecast (as_of);

-- When a gauge came to a level, forecast or not: what is missing among forecasts is a miss.
CREATE TABLE forecast_crossing (
    device_id text COLLATE "C" NOT NULL,
    siaga     smallint NOT NULL CHECK (siaga BETWEEN 1 AND 3),
    at        timestamptz NOT NULL,
    PRIMARY KEY (device_id, siaga, at)
);
CREATE INDEX forecast_crossing_at ON forecast_crossing (at);

-- How far the readings of a gauge were looked at, the last usable one, and since when there is no forecast, and why.
CREATE TABLE forecast_seen (
    device_id  text COLLATE "C" PRIMARY KEY,
    seen_until timestamptz NOT NULL,
    good_at    timestamptz,
    refused    text CHECK (refused IN ('suspect', 'few', 'gap', 'silent')),
    refused_at timestamptz
);

-- How long water takes from the gauge upstream, as learned last; null: nothing could be learned yet. gain 1: all of a rise
-- arrives. alike: correlation of the rises; of so many waves.
CREATE TABLE forecast_lag (
    device_id text COLLATE "C" PRIMARY KEY,
    upstream  text NOT NULL,
    lag_s     float8,
    gain      float8,
    alike     float8,
    waves     integer,
    looked_at timestamptz NOT NULL
);
