"""What a caller sees who is limited to regions: the schema `scoped` has a view of each table, and nothing else.

Their connections have search_path = scoped, so every query of storage/ is limited without knowing it, and a table
without a view is not there for them. siaga.regions names the regions, separated by commas; '' is none. A new table
must be put into one of the lists here, or a test fails. `siaga migrate` makes the views anew, as tables may have grown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from devices.kind import Kind
from devices.kinds import KINDS
from storage.kind_tables import BUCKETS, group_table, reading_table, rollup_table

SCHEMA = "scoped"
SETTING = "siaga.regions"
# For conninfo: from its first moment such a connection sees nothing, until it is told its regions.
OPTIONS = f"-c search_path={SCHEMA} -c {SETTING}="
ENTER = f"SELECT set_config('{SETTING}', %s, false)"

REGIONS = f"(SELECT string_to_array(current_setting('{SETTING}'), ','))::text[]"
INSIDE = f"d.region = ANY ({REGIONS})"
# Of devices: whose device_id is one of theirs.
OF_DEVICE = f"EXISTS (SELECT FROM public.device AS d WHERE d.id = t.device_id AND {INSIDE})"
# All that they cover are theirs, and there is one.
ALL_OF = f"""
EXISTS (SELECT FROM public.device AS d WHERE {{0}} AND {INSIDE})
AND NOT EXISTS (SELECT FROM public.device AS d WHERE {{0}} AND ({INSIDE}) IS NOT TRUE)
"""

# The incident of a group is theirs if all who ever were under it are; one of the installation, if anybody is.
MEMBERS = """
EXISTS (SELECT FROM public.transition AS s JOIN public.alert AS m ON m.id = s.alert_id
        LEFT JOIN public.device AS d ON d.id = m.device_id
        WHERE s.parent_id = t.id AND s.what = 'suppressed' AND {})
"""
ALERT = f"""
CASE WHEN t.device_id NOT LIKE '$%' THEN {OF_DEVICE}
     ELSE {MEMBERS.format(INSIDE)}
          AND (t.device_id NOT LIKE '$%/%' OR NOT {MEMBERS.format(f"({INSIDE}) IS NOT TRUE")}) END
"""
# What covers only their devices (storage/windows.py): others' alerts must not be silenced.
WINDOW = f"""
CASE t.scope
    WHEN 'device' THEN EXISTS (SELECT FROM public.device AS d WHERE d.id = t.name AND {INSIDE})
    WHEN 'district' THEN {ALL_OF.format("d.district = t.name")}
    ELSE {ALL_OF.format("d.attributes @> jsonb_build_object(t.scope, t.name)")} END
"""
# Of who is not registered: by the region of the topic.
QUARANTINE = f"""
CASE WHEN EXISTS (SELECT FROM public.device AS d WHERE d.id = t.device_id) THEN {OF_DEVICE}
     ELSE t.topic LIKE 'siaga/v1/%' AND split_part(t.topic, '/', 3) = ANY ({REGIONS}) END
"""
# Sums over districts are theirs where every device in them is.
SUMS = f"""
(t.kind, t.district) IN (SELECT d.kind, coalesce(d.district, '') FROM public.device AS d
                         GROUP BY 1, 2 HAVING bool_and(coalesce({INSIDE}, false)))
"""
ABOUT = f"EXISTS (SELECT FROM {SCHEMA}.alert AS a WHERE a.id = t.alert_id)"
# A message may be about several alerts.
DELIVERY = f"""
EXISTS (SELECT FROM public.delivery_alert AS x WHERE x.delivery_id = t.id)
AND NOT EXISTS (SELECT FROM public.delivery_alert AS x WHERE x.delivery_id = t.id
                AND NOT EXISTS (SELECT FROM {SCHEMA}.alert AS a WHERE a.id = x.alert_id))
"""

# Conditions by table, in the order in which they need each other.
LIMITED: dict[str, str] = {
    "device": f"t.region = ANY ({REGIONS})",
    **dict.fromkeys(("latest", "ledger", "ledger_missing", "shelf"), OF_DEVICE),
    **dict.fromkeys(("command", "presence", "device_life", "device_history"), OF_DEVICE),
    **dict.fromkeys(("forecast", "forecast_crossing", "forecast_seen", "forecast_lag"), OF_DEVICE),
    "alert": ALERT,
    "transition": ABOUT,
    "delivery": DELIVERY,
    "delivery_alert": f"EXISTS (SELECT FROM {SCHEMA}.delivery AS o WHERE o.id = t.delivery_id)",
    "service_window": WINDOW,
    "quarantine": QUARANTINE,
    "quarantine_event": f"EXISTS (SELECT FROM {SCHEMA}.quarantine AS q WHERE q.id = t.entry_id)",
    "ledger_sum": SUMS,
    "inbox": f"t.regions <@ {REGIONS}",
    "handover": f"t.regions <@ {REGIONS}",
    "handover_taken": f"EXISTS (SELECT FROM {SCHEMA}.handover AS h WHERE h.id = t.handover_id)",
    "credential": ALL_OF.format("(d.id = t.name OR d.attributes ? 'gateway' AND d.attributes ->> 'gateway' = t.name)"),
}
# Nobody may write what they would not see afterwards.
CHECKED = ("command", "device", "device_life", "service_window", "inbox", "handover", "handover_taken", "credential")
# System columns that our queries ask for: views have none of their own.
SYSTEM = {"device": ", t.xmax", "latest": ", t.xmin"}
# Nobody's, and only to be read (OFFSET 0): the rules, how far the past is closed, which regions ingest serves.
SHARED = ("rule_version", "closed", "ingest_session")
# Not there for who is limited.
HIDDEN = (
    "alembic_version", "alert_review", "alert_state", "api_key", "app_user", "archived", "audit", "duty", "grouping",
    "ledger_mark", "notice_outbox", "notice_waiting", "page", "part", "procrastinate_events", "procrastinate_jobs",
    "procrastinate_periodic_defers", "procrastinate_workers", "retention", "rollup_mark", "session", "sign_in_failure",
)  # fmt: skip

VIEW = "CREATE VIEW {schema}.{table} AS SELECT t.*{more} FROM public.{table} AS t WHERE {condition} {check}"
# Days of groups add up all regions: to them every day is marked, so it is added up from the devices that they see.
NO_DAYS = "CREATE VIEW {schema}.{table} AS SELECT t.* FROM public.{table} AS t WHERE false"
MARKS = """
SELECT NULL::bigint AS id, {kind}::text AS kind, t.bucket AS day FROM public.{table} AS t WHERE grouping = 'all'
"""
# An import marks days that are to be added up anew.
MARK = f"""
CREATE FUNCTION {SCHEMA}.mark_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.group_mark (kind, day) VALUES (NEW.kind, NEW.day);
    RETURN NEW;
END $$;
CREATE TRIGGER mark INSTEAD OF INSERT ON {SCHEMA}.group_mark FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.mark_group()
"""


def forget(conn: psycopg.Connection[Any]) -> None:
    """Drop the views, so that tables can change. Until they are made again, who is limited sees nothing."""
    conn.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE".encode())


def make(conn: psycopg.Connection[Any]) -> None:
    """Make the views of all tables there are; in one transaction."""
    with conn.transaction():
        forget(conn)
        conn.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        for statement in _views():
            conn.execute(statement)
        conn.execute(MARK.encode())


def tables_of(kind: Kind) -> list[str]:
    """Tables of a kind whose rows are of one device each."""
    return [reading_table(kind), *(rollup_table(kind, bucket) for bucket in BUCKETS)]


def _views() -> Iterator[sql.Composed]:
    for table, condition in LIMITED.items():
        yield _view(table, condition)
    for table in SHARED:
        yield _view(table, "true OFFSET 0")
    for kind in KINDS.values():
        for table in tables_of(kind):
            yield _view(table, OF_DEVICE)
        yield sql.SQL(NO_DAYS).format(schema=sql.Identifier(SCHEMA), table=sql.Identifier(group_table(kind)))
    marks = sql.SQL(" UNION ALL ").join(
        sql.SQL(MARKS).format(kind=sql.Literal(kind.name), table=sql.Identifier(group_table(kind)))
        for kind in KINDS.values()
    )
    yield sql.SQL("CREATE VIEW {}.group_mark AS {}").format(sql.Identifier(SCHEMA), marks)


def _view(table: str, condition: str) -> sql.Composed:
    return sql.SQL(VIEW).format(
        schema=sql.Identifier(SCHEMA),
        table=sql.Identifier(table),
        more=sql.SQL(SYSTEM.get(table, "")),
        condition=sql.SQL(condition),
        check=sql.SQL("WITH LOCAL CHECK OPTION" if table in CHECKED else ""),
    )
