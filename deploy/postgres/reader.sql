-- The role with which Grafana, or another program that draws, reads the database: rollups, days of groups, the ledger
-- of the fleet, devices, when each was last heard of, alerts. Nothing else, no change, 10 s a query, ten connections.
-- It sees all regions: regions are limited for callers of the API only (docs/security.md).
--
--   psql DATABASE -f reader.sql      as a role that may make roles; again after each migration, as tables may be new
--   \password siaga_grafana          the first time; without a password it cannot sign in
DO $$
DECLARE name text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'siaga_grafana') THEN
        CREATE ROLE siaga_grafana LOGIN CONNECTION LIMIT 10;
    END IF;
    ALTER ROLE siaga_grafana SET default_transaction_read_only = on;
    ALTER ROLE siaga_grafana SET statement_timeout = '10s';
    GRANT USAGE ON SCHEMA public TO siaga_grafana;
    GRANT SELECT ON device, latest, alert, ledger_sum TO siaga_grafana;
    FOR name IN
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
          AND relname ~ '^(rollup_.*_(5m|1h|1d)|group_.*_1d)$'
    LOOP
        EXECUTE format('GRANT SELECT ON public.%I TO siaga_grafana', name);
    END LOOP;
END $$;
