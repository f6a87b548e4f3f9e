"""The statements of the rollups, put together from a kind's declaration; storage/rollup.py says what they compute.

Each is sent unprepared, with the least and the greatest time it is about (since, until): the planner then sees which
partitions cannot matter. Left to run time, leaving them out costs a hypertable more than reading does.
closed is the time before which retention may have dropped rows of the source: docs/decisions/0026-retention.md.
"""

from __future__ import annotations

from functools import lru_cache

from psycopg import sql

from devices.kind import Kind, Metric
from devices.quality import Quality
from storage.kind_tables import ROLLUP_COLUMNS, reading_table, rollup_columns, rollup_table

WORST = int(Quality.NOT_EVALUATED)

# Of each target its aggregates, written where they differ from what is there; answers which rows changed.
ROLL = """
WITH rolled AS (
    SELECT t.device_id, t.bucket, {names}
    FROM unnest(%(devices)s::text[], %(buckets)s::timestamptz[], %(ends)s::timestamptz[])
        AS t(device_id, bucket, until)
    {source}
), gone AS (
    -- A bucket that lost all its rows loses its rollup.
    DELETE FROM {rollup} AS d USING rolled AS r
    WHERE r.n = 0 AND r.bucket >= %(closed)s AND d.device_id = r.device_id AND d.bucket = r.bucket
      AND d.bucket >= %(since)s AND d.bucket < %(until)s
    RETURNING d.device_id, d.bucket
), kept AS (
    -- Of what retention has dropped a part, the rollup knows more than the rows that are left.
    INSERT INTO {rollup} AS k (device_id, bucket, {names})
    SELECT device_id, bucket, {names} FROM rolled WHERE n > 0
    ON CONFLICT (device_id, bucket) DO UPDATE SET {assignments}
    WHERE k.bucket >= %(closed)s AND ROW({there}) IS DISTINCT FROM ROW({here})
    RETURNING k.device_id, k.bucket
)
SELECT device_id, bucket FROM gone UNION ALL SELECT device_id, bucket FROM kept
"""
FROM_RAW = """
CROSS JOIN LATERAL (
    SELECT count(*)::int AS n, (count(*) FILTER (WHERE qc <= {worst}))::int AS n_good FROM {reading} AS r
    WHERE r.device_id = t.device_id AND r.ts >= t.bucket AND r.ts < t.until AND r.ts >= %(since)s AND r.ts < %(until)s
) AS c
CROSS JOIN LATERAL (
    SELECT {aggregates} FROM {reading} AS r
    WHERE r.device_id = t.device_id AND r.ts >= t.bucket AND r.ts < t.until AND r.ts >= %(since)s AND r.ts < %(until)s
      AND qc <= {worst} AND c.n_good > 0
) AS a
"""
# The reading before a bucket, for all counters at once: nearly always it has a value of each.
BEFORE = """
LEFT JOIN LATERAL (
    SELECT {counters} FROM {reading} AS r
    WHERE r.device_id = t.device_id AND r.ts < t.bucket AND r.ts >= %(closed)s AND r.qc <= {worst} AND c.n_good > 0
    ORDER BY r.ts DESC LIMIT 1
) AS p ON true
"""
# Values come newest first, so each stands beside the one before it when the array is shifted by one; the value before
# the oldest is looked up, but only where there is an oldest. (A window function does the same three times slower.)
# Where that one may have been dropped, the rollup still knows it: whichever of the two is the newer.
DELTA = """
CROSS JOIN LATERAL (
    SELECT sum(CASE WHEN value < before THEN value ELSE value - before END) AS {delta}
    FROM unnest(a.{values}, a.{values}[2:] || coalesce(p.{name}, (
        SELECT r.{name} FROM {reading} AS r
        WHERE r.device_id = t.device_id AND r.ts < t.bucket AND r.ts >= %(closed)s
          AND r.qc <= {worst} AND r.{name} IS NOT NULL AND a.{values} IS NOT NULL
        ORDER BY r.ts DESC LIMIT 1
    ), (
        SELECT value FROM (
            (SELECT r.ts, r.{name} AS value FROM {reading} AS r
             WHERE r.device_id = t.device_id AND r.ts < t.bucket AND r.ts < %(closed)s
               AND r.qc <= {worst} AND r.{name} IS NOT NULL AND a.{values} IS NOT NULL
             ORDER BY r.ts DESC LIMIT 1)
            UNION ALL
            (SELECT f.bucket, f.{last} FROM {rollup} AS f
             WHERE f.device_id = t.device_id AND f.bucket < t.bucket AND f.bucket < %(closed)s
               AND f.{last} IS NOT NULL AND a.{values} IS NOT NULL
             ORDER BY f.bucket DESC LIMIT 1)
        ) AS earlier ORDER BY ts DESC LIMIT 1
    ))) AS u(value, before)
) AS {alias}
"""
FROM_ROLLUP = """
CROSS JOIN LATERAL (
    SELECT {aggregates} FROM {finer} AS f
    WHERE f.device_id = t.device_id AND f.bucket >= t.bucket AND f.bucket < t.until
      AND f.bucket >= %(since)s AND f.bucket < %(until)s
) AS a
"""
# Per way of rolling up, what each column is made of. x is the metric, w its weight.
RAW = {
    "avg": "sum(r.{x} * {w}) / nullif(sum({w}) FILTER (WHERE r.{x} IS NOT NULL), 0)",
    "min": "min(r.{x})",
    "max": "max(r.{x})",
    "last": "(array_agg(r.{x} ORDER BY r.ts DESC) FILTER (WHERE r.{x} IS NOT NULL))[1]",
    "w": "sum({w}) FILTER (WHERE r.{x} IS NOT NULL)",
    "sum": "sum(r.{x})",
    "values": "array_agg(r.{x} ORDER BY r.ts DESC) FILTER (WHERE r.{x} IS NOT NULL)",
}
AGAIN = {
    "avg": "sum(f.{x_avg} * f.{x_w}) / nullif(sum(f.{x_w}), 0)",
    "min": "min(f.{x_min})",
    "max": "max(f.{x_max})",
    "last": "(array_agg(f.{x_last} ORDER BY f.bucket DESC) FILTER (WHERE f.{x_last} IS NOT NULL))[1]",
    "w": "sum(f.{x_w})",
    "sum": "sum(f.{x_sum})",
    "delta": "sum(f.{x_delta})",
}
# Marked buckets of a device without a gap between them.
RUNS = """
SELECT d.id AS device_id, r.since, r.until
FROM device AS d CROSS JOIN unnest(%(whole_since)s::timestamptz[], %(whole_until)s::timestamptz[]) AS r(since, until)
WHERE d.kind = %(kind)s
UNION ALL
SELECT * FROM unnest(%(run_devices)s::text[], %(run_since)s::timestamptz[], %(run_until)s::timestamptz[])
"""
# Marked buckets that have readings, or have had some. One walk over the key for a run, not for each of its buckets.
MARKED = """
SELECT run.device_id, b.bucket FROM run
CROSS JOIN LATERAL (
    SELECT date_bin('5 minutes', r.ts, 'epoch') AS bucket FROM {reading} AS r
    WHERE r.device_id = run.device_id AND r.ts >= run.since AND r.ts < run.until
      AND r.ts >= %(since)s AND r.ts < %(until)s
    UNION
    SELECT d.bucket FROM {rollup} AS d
    WHERE d.device_id = run.device_id AND d.bucket >= run.since AND d.bucket < run.until
      AND d.bucket >= %(since)s AND d.bucket < %(until)s
) AS b
"""
# The bucket of the next value of a counter after a run: its increment began in the run. Within it all are marked.
NEXT = """
UNION
SELECT run.device_id, date_bin('5 minutes', next.ts, 'epoch') FROM run
CROSS JOIN LATERAL (
    SELECT FROM {reading} AS r
    WHERE r.device_id = run.device_id AND r.ts >= run.since AND r.ts < run.until
      AND r.ts >= %(since)s AND r.ts < %(until)s AND r.qc <= {worst} AND r.{name} IS NOT NULL
    LIMIT 1
) AS here
CROSS JOIN LATERAL (
    SELECT r.ts FROM {reading} AS r
    WHERE r.device_id = run.device_id AND r.ts >= run.until
      AND r.ts >= %(since)s AND r.qc <= {worst} AND r.{name} IS NOT NULL
    ORDER BY r.ts LIMIT 1
) AS next
"""


@lru_cache
def roll_raw(kind: Kind) -> sql.Composed:
    """5-minute rollups from readings."""
    reading = sql.Identifier(reading_table(kind))
    aggregates, deltas = [], []
    counters = [name for name, metric in kind.metrics.items() if metric.rollup == "counter"]
    if counters:
        listed = sql.SQL(", ").join(sql.Identifier("r", name) for name in counters)
        deltas.append(sql.SQL(BEFORE).format(counters=listed, reading=reading, worst=WORST))
    for metric in kind.metrics.values():
        aggregates += [_from_raw(metric, suffix) for suffix in _suffixes(metric) if suffix != "delta"]
        if metric.rollup == "counter":
            aggregates.append(_from_raw(metric, "values"))
            deltas.append(
                sql.SQL(DELTA).format(
                    delta=sql.Identifier(f"{metric.name}_delta"), name=sql.Identifier(metric.name), reading=reading,
                    last=sql.Identifier(f"{metric.name}_last"), rollup=sql.Identifier(rollup_table(kind, "5m")),
                    values=sql.Identifier(f"{metric.name}_values"), alias=sql.Identifier(f"of_{metric.name}"),
                    worst=WORST,
                )
            )  # fmt: skip
    listed = sql.SQL(", ").join(aggregates)
    return _roll(kind, "5m", sql.SQL(FROM_RAW).format(aggregates=listed, reading=reading, worst=WORST), *deltas)


@lru_cache
def roll_again(kind: Kind, rollup: str, finer: str) -> sql.Composed:
    """Larger buckets from smaller ones."""
    aggregates = [sql.SQL("coalesce(sum(f.{c}), 0)::int AS {c}").format(c=sql.Identifier(c)) for c in ("n", "n_good")]
    for metric in kind.metrics.values():
        fields = {f"x_{suffix}": sql.Identifier(f"{metric.name}_{suffix}") for suffix in AGAIN}
        aggregates += [_named(metric, suffix, sql.SQL(AGAIN[suffix]).format(**fields)) for suffix in _suffixes(metric)]
    table = sql.Identifier(rollup_table(kind, finer))
    return _roll(kind, rollup, sql.SQL(FROM_ROLLUP).format(aggregates=sql.SQL(", ").join(aggregates), finer=table))


@lru_cache
def targets(kind: Kind) -> sql.Composed:
    """The (device, bucket) that runs of marks mean, and those whose increments begin in them."""
    reading, rollup = sql.Identifier(reading_table(kind)), sql.Identifier(rollup_table(kind, "5m"))
    following = [
        sql.SQL(NEXT).format(reading=reading, name=sql.Identifier(name), worst=WORST)
        for name, metric in kind.metrics.items()
        if metric.rollup == "counter"
    ]
    return sql.SQL("WITH run AS MATERIALIZED ({}) {} {}").format(
        sql.SQL(RUNS), sql.SQL(MARKED).format(reading=reading, rollup=rollup), sql.SQL(" ").join(following)
    )


def _roll(kind: Kind, rollup: str, *source: sql.Composed) -> sql.Composed:
    names = [name for name, _ in ROLLUP_COLUMNS[2:]]
    names += [column for metric in kind.metrics.values() for column in rollup_columns(metric)]
    columns = [sql.Identifier(name) for name in names]
    return sql.SQL(ROLL).format(
        rollup=sql.Identifier(rollup_table(kind, rollup)),
        source=sql.SQL("").join(source),
        names=sql.SQL(", ").join(columns),
        assignments=sql.SQL(", ").join(sql.SQL("{c} = excluded.{c}").format(c=column) for column in columns),
        there=sql.SQL(", ").join(sql.Identifier("k", name) for name in names),
        here=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in names),
    )


def _suffixes(metric: Metric) -> list[str]:
    return [column.removeprefix(f"{metric.name}_") for column in rollup_columns(metric)]


def _from_raw(metric: Metric, suffix: str) -> sql.Composed:
    # Whoever does not say its weight (a count that is missing) counts once.
    weight: sql.Composable = sql.SQL("1::float8")
    if metric.weight is not None:
        weight = sql.SQL("coalesce({}, 1)").format(sql.Identifier("r", metric.weight))
    return _named(metric, suffix, sql.SQL(RAW[suffix]).format(x=sql.Identifier(metric.name), w=weight))


def _named(metric: Metric, suffix: str, expression: sql.Composed) -> sql.Composed:
    return sql.SQL("{} AS {}").format(expression, sql.Identifier(f"{metric.name}_{suffix}"))
