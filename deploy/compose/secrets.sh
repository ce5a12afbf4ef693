#!/bin/sh
# The four passwords that exist before OpenBao does: random, made once, never shown.
set -eu
cd "$(dirname "$0")/../.."
umask 077
mkdir -p .kept/compose
for name in postgres kafka s3 grafana; do
  file=.kept/compose/$name
  # Containers read it as users of their own, so the file is readable and its directory is not.
  [ -s "$file" ] || { od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$file"; chmod 444 "$file"; }
done
