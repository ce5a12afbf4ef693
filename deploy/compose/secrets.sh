#!/bin/sh
# The passwords that exist before OpenBao does: random, made once, never shown.
set -eu
cd "$(dirname "$0")/../.."
umask 077
mkdir -p .kept/compose
cd .kept/compose
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
# Containers read these as users of their own, so a file is readable and its directory is not.
for name in postgres s3 grafana; do
  [ -s "$name" ] || { random >"$name"; chmod 444 "$name"; }
done
if [ ! -s kafka ]; then
  for user in admin identity customers audit backup dsar billing; do echo "$user $(random)"; done >kafka.tmp
  chmod 444 kafka.tmp
  mv kafka.tmp kafka
fi
