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
# Values come newest first, so each stands beside the one before it when the array is shifted by one; the value before
# the oldest is looked up, but only where there is an oldest. (A window function does the same three times slower.)
# Where that one may have been dropped, the rollup still knows it: whichever of the two is the newer.
DELTA = """
CROSS JOIN LATERAL (
    SELECT sum(CASE WHEN value < before THEN value ELSE value - before END) AS {delta}
    FROM unnest(a.{values}, a.{values}[2:] || coalesce((
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
MARKED = """
SELECT d.id AS device_id, b.bucket FROM device AS d CROSS JOIN unnest(%(whole)s::timestamptz[]) AS b(bucket)
WHERE d.kind = %(kind)s
UNION
SELECT * FROM unnest(%(devices)s::text[], %(buckets)s::timestamptz[])
"""
# The bucket of the next value of a counter: its increment began in the marked one.
NEXT = """
UNION
SELECT m.device_id, date_bin('5 minutes', next.ts, 'epoch') FROM marked AS m
CROSS JOIN LATERAL (
    SELECT r.ts FROM {reading} AS r
    WHERE r.device_id = m.device_id AND r.ts >= m.bucket AND r.ts < m.bucket + interval '5 minutes'
      AND r.ts >= %(since)s AND r.ts < %(until)s AND r.qc <= {worst} AND r.{name} IS NOT NULL
    LIMIT 1
) AS here
CROSS JOIN LATERAL (
    SELECT r.ts FROM {reading} AS r
    WHERE r.device_id = m.device_id AND r.ts >= m.bucket + interval '5 minutes' AND r.ts > here.ts
      AND r.ts >= %(since)s AND r.qc <= {worst} AND r.{name} IS NOT NULL
    ORDER BY r.ts LIMIT 1
) AS next
"""


@lru_cache
def roll_raw(kind: Kind) -> sql.Composed:
    """5-minute rollups from readings."""
    reading = sql.Identifier(reading_table(kind))
    aggregates, deltas = [], []
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
    """The (device, bucket) that marks mean, and those whose increments begin in them."""
    following = [
        sql.SQL(NEXT).format(reading=sql.Identifier(reading_table(kind)), name=sql.Identifier(name), worst=WORST)
        for name, metric in kind.metrics.items()
        if metric.rollup == "counter"
    ]
    return sql.SQL("WITH marked AS MATERIALIZED ({}) SELECT device_id, bucket FROM marked {}").format(
        sql.SQL(MARKED), sql.SQL(" ").join(following)
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
