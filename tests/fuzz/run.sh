#!/usr/bin/env bash
# tests/fuzz/run.sh BUILD SECONDS JOBS: every fuzz target for a bounded time, from the kept corpora.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$1 seconds=$2 jobs=$3
corpora=tests/fuzz/corpus
out=$build/corpus
mapfile -t targets < <(find "$build/tests" -maxdepth 1 -type f -name 'fuzz_*' -perm -u+x | sort)
[ "${#targets[@]}" -gt 0 ] || { echo "no fuzz targets were built" >&2; exit 1; }

one() {
    local name
    name=$(basename "$1")
    mkdir -p "$out/$name" "$corpora/$name"
    # New inputs go to the build folder; the kept corpus is only read.
    if ! "$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$out/$name-" "$out/$name" "$corpora/$name" >"$out/$name.log" 2>&1; then
        tail -n 30 "$out/$name.log"
        return 1
    fi
    printf '%s: %s runs\n' "$name" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$name.log")"
}
export -f one
export seconds out corpora
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'one {}'
