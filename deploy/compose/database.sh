#!/bin/sh
# Run once by the image of the database, on an empty volume: a role of ours without special rights, and its database.
# The server's own superuser is for backups, restoring and the role of Grafana only.
set -eu
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username postgres --dbname postgres <<'SQL'
\set password `cat /run/secrets/database_password`
CREATE ROLE siaga LOGIN PASSWORD :'password';
CREATE DATABASE siaga OWNER siaga TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8';
\connect siaga
CREATE EXTENSION IF NOT EXISTS timescaledb;
SQL
