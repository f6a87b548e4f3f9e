#!/bin/sh
# Writes anew what the image installs, with the hash of every file of each release: `make hashes`, after a change of
# pyproject.toml or constraints.txt. Versions are those of constraints.txt, so the image has what was tested.
set -eu
here=$(dirname "$0")
uv=$(realpath "$1")
cd "$here/../.."

compile() {
  file=$1
  shift
  "$uv" pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url --generate-hashes --no-build \
    --constraint constraints.txt --python-version 3.13 --python-platform linux --output-file "deploy/image/$file" "$@"
}

compile requirements.txt pyproject.toml --extra archive --extra otel
# What builds the wheel, and a Node that fetches the dashboard's libraries.
compile build.txt deploy/image/build.in
