#!/bin/sh
# Make the server in DATA a standby of the primary: a copy of it that follows what is written there.
#
#   standby.sh PRIMARY NAME DATA
#   standby.sh 'host=db-1 user=replicator sslmode=verify-full' siaga_db_2 /var/lib/postgresql/17/main
#
# Run it as the server's user (postgres) while the server in DATA is stopped; start that server afterwards. PRIMARY is a
# connection string of a role with REPLICATION that may connect to the database postgres, too; its password comes from
# ~/.pgpass. pg_ctl has to be on the PATH (Debian: /usr/lib/postgresql/17/bin). Also for a former primary that comes back:
# what was in DATA is kept beside, as it may hold what nobody else has. Then name it to the primary: synchronous.sh.
set -eu

[ $# -eq 3 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
primary=$1 name=$2 data=$3

case $name in
    *[!a-z0-9_]*) echo "$name: a name of a standby has only a-z, 0-9 and _" >&2; exit 2 ;;
esac
if [ -e "$data/postmaster.pid" ]; then
    status=0
    pg_ctl status -D "$data" > /dev/null || status=$?
    # 3: it is not running. Who may not ask may not go on either.
    [ "$status" -eq 3 ] || { echo "$data: its server is running; stop it first" >&2; exit 1; }
fi

# The primary keeps for this standby what it has not fetched yet.
psql -X -q -v ON_ERROR_STOP=1 -d "$primary dbname=postgres" -o /dev/null -c \
    "SELECT pg_create_physical_replication_slot('$name') WHERE NOT EXISTS (
         SELECT FROM pg_replication_slots WHERE slot_name = '$name')"

new=$data.new
rm -rf "$new"
pg_basebackup -d "$primary application_name=$name" -D "$new" -R -S "$name" -X stream -c fast
# Only a whole copy takes the place of what was there.
if [ -e "$data" ]; then
    before=$data.before-$(date -u +%Y%m%dT%H%M%SZ)
    mv "$data" "$before"
    echo "what was there is kept in $before"
fi
mv "$new" "$data"
echo "$data is a standby called $name; start its server, then on the primary: synchronous.sh PRIMARY $name"
