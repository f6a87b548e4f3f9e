"""What devices have in common: rows of devices added up to rows of groups, and days of groups to months.

An average counts every reading alike, by the weights that rollups keep. A total adds up what each device had on
average (the kW of a panel); over months it is the mean of its days, and `devices` is the most there were on one day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg import sql

Columns = Mapping[str, Iterable[str]]  # metric → suffixes

# By suffix; x_… are the columns of what is added up.
COMMON = {
    "avg": "sum({x_avg} * {x_w}) / nullif(sum({x_w}), 0)",
    "w": "sum({x_w})",
    "min": "min({x_min})",
    "max": "max({x_max})",
    "delta": "sum({x_delta})",
    "sum": "sum({x_sum})",
}
OF_DEVICE = {"n": "sum(n)", "n_good": "sum(n_good)"} | COMMON
OF_GROUP = OF_DEVICE | {"devices": "count(*)::int", "total": "sum({x_avg})"}
OF_DAYS = OF_DEVICE | {"devices": "max(devices)", "total": "avg({x_total})"}


def name_of(grouping: str) -> sql.Composable:
    """What a device (d) is called in a grouping; '' where it has no name."""
    if grouping == "all":
        return sql.SQL("''")
    return sql.SQL("coalesce({}, '')").format(_value(grouping))


def is_in(where: Mapping[str, str], devices: object) -> sql.Composed:
    """Conditions on a device (d): of %(kind)s, of these groups, one of %(devices)s where any are given."""
    conditions: list[sql.Composable] = [sql.SQL("d.kind = %(kind)s")]
    conditions += (sql.SQL("{} = {}").format(_value(name), sql.Literal(value)) for name, value in where.items())
    if devices is not None:
        conditions.append(sql.SQL("d.id = ANY (%(devices)s)"))
    return sql.SQL(" AND ").join(conditions)


def added(columns: Columns, how: Mapping[str, str], counts: Iterable[str]) -> sql.Composed:
    """The list of a SELECT that adds up rows: these counts, and these columns of metrics."""
    listed = [sql.SQL("{} AS {}").format(sql.SQL(how[name]), sql.Identifier(name)) for name in counts]
    for metric, suffixes in columns.items():
        fields = {f"x_{suffix}": sql.Identifier(f"{metric}_{suffix}") for suffix in (*COMMON, "total")}
        listed += [
            sql.SQL("{} AS {}").format(sql.SQL(how[suffix]).format(**fields), sql.Identifier(f"{metric}_{suffix}"))
            for suffix in suffixes
        ]
    return sql.SQL(", ").join(listed)


def named(columns: Columns, counts: Iterable[str]) -> sql.Composed:
    """The same, as they are."""
    names = [*counts, *(f"{metric}_{suffix}" for metric, suffixes in columns.items() for suffix in suffixes)]
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _value(grouping: str) -> sql.Composable:
    if grouping == "district":
        return sql.Identifier("d", "district")
    return sql.SQL("d.attributes ->> {}").format(sql.Literal(grouping))
