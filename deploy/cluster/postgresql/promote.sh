#!/bin/sh
# The primary is gone: the standby takes its place.
#
#   promote.sh STANDBY               a connection string of a superuser of the standby, dbname=postgres in it
#
# First make sure that the former primary is off and stays off (its power, its address): two that both take writes are two
# histories. What still connects to it alone is answered by nobody: with a synchronous standby its commits wait for ever.
# The new primary waits for no standby; make one (standby.sh, on the other machine) and name it (synchronous.sh).
set -eu

[ $# -eq 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
# The copy brought along for whom the old primary waited; nobody of that name follows this one.
psql -X -q -v ON_ERROR_STOP=1 -d "$1" -o /dev/null \
    -c "ALTER SYSTEM SET synchronous_standby_names = ''" -c "SELECT pg_reload_conf()"
done=$(psql -X -q -At -v ON_ERROR_STOP=1 -d "$1" -c "SELECT pg_promote(true, 60)")
[ "$done" = t ] || { echo "not promoted within 60 s; see the server's log" >&2; exit 1; }
echo "is the primary now"
