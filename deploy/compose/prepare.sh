#!/bin/sh
# Makes what compose.yaml needs and nobody should choose: secrets, and a certificate of the broker by an authority of our
# own. Each once: what is there stays. Who may read secrets/ or ca/ may do everything; keep ca/ on another machine.
set -eu
umask 077
cd "$(dirname "$0")"
fail() { echo "prepare.sh: $*" >&2; exit 1; }

[ -e .env ] || cp env.example .env
# shellcheck source=/dev/null
. ./.env
[ "$SITE" != siaga.example.go.id ] || fail "say in .env under which name this is found (SITE), and run me again"
# Any `siaga` command; the image has one.
: "${SIAGA:=docker run --rm --network none --user $(id -u):$(id -g) --volume $PWD:/here --workdir /here $IMAGE}"

mkdir -p secrets certificates
# Containers run as users that this machine does not know: files for everybody, in a folder that nobody else gets into.
chmod 0700 secrets
chmod 0755 certificates

keep() { [ -s "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"; }
random() { od -An -vtx1 -N24 /dev/urandom | tr -d ' \n'; }
secret() { cat "secrets/$1"; }

for name in postgres_password database_password broker_password grafana_admin_password grafana_database_password \
  siaga_device_key; do
  keep "$name" "$(random)"
done
keep siaga_database_url "postgresql://siaga:$(secret database_password)@database/siaga"
keep owner_database_url "postgresql://postgres:$(secret postgres_password)@database/siaga"
keep siaga_mqtt_url "mqtts://siaga:$(secret broker_password)@broker:8883"

[ -e ca/ca.pem ] || $SIAGA ca init --ca ca
cp -f ca/ca.pem certificates/ca.pem
# By its name among containers, and by that under which devices find it. Good for 397 days: to renew it, remove the key.
if [ ! -e secrets/broker-key.pem ]; then
  rm -f certificates/broker.pem
  $SIAGA ca issue --server broker "$SITE" --ca ca --out certificates
  mv certificates/broker-key.pem secrets/
fi
chmod 0444 secrets/* certificates/*
