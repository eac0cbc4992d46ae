#!/usr/bin/env bash
# tests/coverage.sh BUILD: prints lines and branches by folder, and every file below its folder's bar.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1
for folder in agent/base codec s3 agent; do
    echo "-- $folder"
    gcovr -r . --object-directory "$build" --filter "$folder/[^/]*\.[ch]\$" \
        --exclude-unreachable-branches --exclude-throw-branches -s 2>/dev/null |
        grep -vE '^(Directory|GCC|-+$|File)|^ *Lines' || true
done
