#!/bin/sh
# The role of Grafana and its password: what it may read is said again after each migration, as tables may be new.
set -eu
PGPASSWORD=$(cat /run/secrets/postgres_password)
export PGPASSWORD
exec psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 <<'SQL'
\i /reader.sql
\set password `cat /run/secrets/grafana_database_password`
ALTER ROLE siaga_grafana PASSWORD :'password';
SQL
