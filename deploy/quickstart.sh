#!/usr/bin/env bash
# deploy/quickstart.sh [SOURCE] [restore options]
#
# Installs what is missing, builds Penates and restores. With no SOURCE it restores the sample backup
# of tests/data, which Priam's own code wrote, through an S3 endpoint on this machine. Files go to
# ./restored unless --into says otherwise.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

case "${1:-}" in
-h | --help)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

"$root/deploy/deps.sh"
cmake -S "$root" -B "$root/build" -DPENATES_TESTS=OFF >/dev/null
cmake --build "$root/build" --parallel "$(nproc)" >/dev/null
penates=$root/build/agent/penates

source=
if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then
    source=$1
    shift
fi
into=(--into ./restored)
for argument in "$@"; do
    case "$argument" in
    --into | --into=*) into=() ;;
    esac
done

if [ -n "$source" ]; then
    exec "$penates" restore "$source" ${into[@]+"${into[@]}"} "$@"
fi

# The sample: a strict S3 endpoint on loopback, whose keys are worth nothing elsewhere.
exec 3< <(cd "$root/tests" && exec python3 -m fake_s3 data/priam-v2)
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT
if ! read -r endpoint <&3; then
    echo "quickstart.sh: the S3 endpoint of the sample did not start" >&2
    exit 1
fi
export AWS_ACCESS_KEY_ID=AKIAPENATESTEST00001
export AWS_SECRET_ACCESS_KEY=penates-test-secret/not+a+real=one
unset AWS_SESSION_TOKEN AWS_PROFILE
# A proxy of this machine cannot reach its loopback.
export no_proxy=127.0.0.1
"$penates" restore s3://backups/backup --endpoint "$endpoint" --path-style --region us-east-1 \
    ${into[@]+"${into[@]}"} "$@"
