#!/usr/bin/env bash
# tests/cassandra/run.sh [VERSION...|all] [-- PYTEST OPTIONS]
#
# What a real Cassandra makes of a restore: starts the versions named (3.11, 4.0, 4.1, 5.0), by
# default 3.11 and 4.1, on loopback addresses. Nothing listens beyond them.
#
#   PENATES                      the binary; default: build-tests/release is built, with gcc
#   PENATES_CASSANDRA_JARS       where the jars lie; default: build-tests/cassandra
#   PENATES_JAVA                 a Java 17, when the system's is not found
#   PENATES_SKIP_CASSANDRA=1     skips all of it, and says so
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
if [ -n "${PENATES_SKIP_CASSANDRA:-}" ]; then
    echo "cassandra: skipped, because PENATES_SKIP_CASSANDRA is set"
    exit 0
fi

versions=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    versions+=("$1")
    shift
done
[ $# -eq 0 ] || shift
[ "${#versions[@]}" -gt 0 ] || versions=(3.11 4.1)
[ "${versions[*]}" != all ] || versions=(3.11 4.0 4.1 5.0)

"$root/deploy/deps.sh" --cassandra
venv=$root/.venv-tests
pinned=$(cat tests/requirements.txt tests/cassandra/requirements.txt)
if [ "$pinned" != "$(cat "$venv/requirements.cassandra" 2>/dev/null)" ]; then
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check \
        -r tests/requirements.txt -r tests/cassandra/requirements.txt
    echo "$pinned" >"$venv/requirements.cassandra"
fi
if [ -z "${PENATES:-}" ]; then
    CC=gcc cmake -G Ninja -S "$root" -B build-tests/release -DPENATES_WERROR=ON >/dev/null
    cmake --build build-tests/release --parallel "$(nproc)" | tail -n 1
    export PENATES="$root/build-tests/release/agent/penates"
fi

began=$SECONDS
"$venv/bin/python" tests/cassandra/jars.py "${versions[@]}" >/dev/null
echo "cassandra: the jars of ${versions[*]} are there after $((SECONDS - began)) s"
PENATES_CASSANDRA_VERSIONS="${versions[*]}" "$venv/bin/python" -m pytest -c tests/pytest.ini \
    -p no:cacheprovider -o tmp_path_retention_policy=failed -o timeout=600 --durations=15 \
    -n 2 --dist loadfile tests/cassandra "$@"
