#!/bin/sh
# The broker in a container: broker.sh secured.conf, of the configuration mounted at /nats. Beside it `siaga broker sync`
# writes who may connect into conf/users.conf on the same volume; another container may not signal this server, so the
# file is watched here. BROKER_ADDRESS is where it says of itself what it holds: for the worker and for probes, on a
# network that only they are on, and not on loopback as on a machine.
set -eu
secrets=${SECRETS:-/run/secrets} folder=${FOLDER:-/var/lib/siaga/broker}
users=$folder/conf/users.conf
mkdir -p "$folder/conf"
cp "${NATS:-/nats}"/*.conf "$folder/conf/"

# NATS takes the quotes off again; without them 12345 would be a number to it.
# shellcheck disable=SC2089
SIAGA_BROKER_PASSWORD="\"$(cat "$secrets/broker_password")\""
# shellcheck disable=SC2090
export SIAGA_BROKER_PASSWORD SIAGA_BROKER_STORE="\"$folder\"" SIAGA_BROKER_USER='"siaga"'
export SIAGA_BROKER_HOST='"0.0.0.0"' SIAGA_BROKER_PORT="${SIAGA_BROKER_PORT:-8883}"
export SIAGA_BROKER_MONITOR_PORT="${SIAGA_BROKER_MONITOR_PORT:-8222}"

seen() { cksum "$users" 2>&1 || :; }

# Before the first start nobody may connect, and the file that says so is not there.
until [ -e "$users" ]; do
  sleep 1
done

read_again() {
  before=$(seen)
  while sleep 1 && kill -0 $$; do
    now=$(seen)
    if [ "$now" != "$before" ]; then
      before=$now
      kill -HUP $$
    fi
  done
}
read_again &
exec nats-server -c "$folder/conf/$1" -a "$BROKER_ADDRESS"
