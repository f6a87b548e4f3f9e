#!/bin/sh
# Say for which standbys the primary waits before it answers a commit: for any one of them.
#
#   synchronous.sh PRIMARY NAME…     from now on nothing acknowledged is lost with the primary
#   synchronous.sh PRIMARY           for none: the primary goes on alone, and what it acknowledges dies with it
#
# With a single standby, one that is away makes every commit wait: ingest acknowledges nothing, and the broker keeps what
# comes. Two standbys leave one to wait for. PRIMARY is a connection string of a superuser, dbname=postgres in it.
set -eu

[ $# -ge 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
primary=$1
shift
names=
for name in "$@"; do
    case $name in
        *[!a-z0-9_]*) echo "$name: a name of a standby has only a-z, 0-9 and _" >&2; exit 2 ;;
    esac
    names=${names:+$names, }$name
done

if [ -n "$names" ]; then
    there=$(psql -X -q -At -v ON_ERROR_STOP=1 -d "$primary" -c \
        "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'
             AND application_name = ANY (string_to_array('$names', ', '))")
    [ "$there" -gt 0 ] || { echo "none of $names follows this primary: every commit would wait for it" >&2; exit 1; }
    names="ANY 1 ($names)"
fi
psql -X -q -v ON_ERROR_STOP=1 -d "$primary" -o /dev/null \
    -c "ALTER SYSTEM SET synchronous_standby_names = '$names'" -c "SELECT pg_reload_conf()"
echo "waits for: ${names:-no standby}"
