#!/usr/bin/env bash
# tests/run.sh [STAGE...]
#
# Installs what the tests need and runs them all, or the stages named:
#   lint      formatting, banned functions, layers, shell scripts, clang-tidy
#   unit      gcc, release, warnings are errors: unit tests and the command-line checks
#   e2e       that binary against S3 servers, faults, crashes
#   deploy    units, user data, CloudFormation templates and what else stands around the binary
#   package   deb, rpm and tarball for x86_64 and arm64: what is in them, and that they run
#   cassandra real Cassandras start on what it restored, and read every row back;
#             PENATES_SKIP_CASSANDRA=1 skips this stage and says so
#   asan      clang with address and undefined-behaviour sanitizers: unit and end to end
#   tsan      thread sanitizer: unit and end to end with 4 net threads and 8 workers
#   fuzz      every fuzz target for FUZZ_SECONDS (10) each
#   coverage  gcovr over unit and end-to-end tests, printed
# Everything is built below build-tests/; Python packages live in .venv-tests/.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
stages=("$@")
[ $# -gt 0 ] || stages=(lint unit e2e deploy package cassandra asan tsan fuzz coverage)
venv=$root/.venv-tests
jobs=$(nproc)

install() {
    "$root/deploy/deps.sh" --tests
    if ! cmp -s "$venv/requirements.txt" tests/requirements.txt; then
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/requirements.txt
        cp tests/requirements.txt "$venv/requirements.txt"
    fi
    if command -v go >/dev/null && [ ! -x "$venv/bin/ec2-metadata-mock" ]; then
        GOBIN="$venv/bin" go install \
            github.com/aws/amazon-ec2-metadata-mock/cmd/ec2-metadata-mock@v1.13.0
    fi
}

build() { # build NAME COMPILER [cmake options]
    local name=$1 compiler=$2
    shift 2
    CC=$compiler cmake -G Ninja -S "$root" -B "build-tests/$name" -DPENATES_WERROR=ON "$@" >/dev/null
    cmake --build "build-tests/$name" --parallel "$jobs" | tail -n 1
}

unit() { # unit NAME [ctest options]
    local name=$1
    shift
    (cd "build-tests/$name" && ctest --output-on-failure --timeout 300 -j "$jobs" "$@" | tail -n 15)
}

e2e() { # e2e NAME FILES [pytest options]
    local name=$1
    shift
    PENATES="$root/build-tests/$name/agent/penates" "$venv/bin/python" -m pytest \
        -c tests/pytest.ini -p no:cacheprovider -n "$((3 * jobs))" --dist worksteal "$@"
}

stage_lint() {
    tests/lint.sh
}

stage_unit() {
    build release gcc
    unit release
}

stage_e2e() {
    build release gcc
    e2e release tests/e2e
}

venv_of() { # venv_of NAME: an environment of its own for tests/deploy/NAME.txt
    local dir=$root/.venv-$1
    if ! cmp -s "$dir/$1.txt" "tests/deploy/$1.txt"; then
        python3 -m venv "$dir"
        "$dir/bin/pip" install --quiet --disable-pip-version-check -r "tests/deploy/$1.txt"
        cp "tests/deploy/$1.txt" "$dir"
    fi
}

# Two environments, beside each other: a server of the one pins an older botocore than the AWS CLI of
# the other, which is for the tests that have moto in their own process, or call its programs.
stage_deploy() {
    local cloud=$root/.venv-cloudformation rest failed=0
    build release gcc
    venv_of checkov
    venv_of cloudformation
    export PENATES_CHECKOV=$root/.venv-checkov/bin/checkov PENATES_CLOUD_PYTHON=$cloud/bin/python
    e2e release tests/deploy --ignore-glob '*/test_cloudformation*' --ignore tests/deploy/test_packages.py \
        --ignore tests/deploy/test_vulnerabilities.py >build-tests/deploy.log 2>&1 &
    rest=$!
    venv=$cloud e2e release tests/deploy/test_cloudformation*.py || failed=1
    wait "$rest" || failed=1
    cat build-tests/deploy.log
    unset PENATES_CHECKOV PENATES_CLOUD_PYTHON
    return "$failed"
}

# Beside each other: most of it is configure scripts, of one thread each.
stage_package() {
    local out=$root/build-tests/package arm
    if ! grep -qx 'VERSION_ID="12"' /etc/os-release; then
        echo "the packages are built on Debian 12: this stage is skipped, and shows nothing, here"
        return
    fi
    venv_of audit
    mkdir -p "$out"
    deploy/packaging/build.sh arm64 "$out" >"$out-arm64.log" 2>&1 &
    arm=$!
    deploy/packaging/build.sh amd64 "$out"
    wait "$arm" || { cat "$out-arm64.log"; return 1; }
    PENATES_PACKAGES=$out PENATES_PIP_AUDIT=$root/.venv-audit/bin/pip-audit "$venv/bin/python" -m pytest \
        -c tests/pytest.ini -p no:cacheprovider -n 2 --dist loadfile tests/deploy/test_packages.py \
        tests/deploy/test_first_boot.py tests/deploy/test_vulnerabilities.py
}

stage_cassandra() {
    build release gcc
    PENATES="$root/build-tests/release/agent/penates" tests/cassandra/run.sh
}

stage_asan() {
    export ASAN_OPTIONS=detect_leaks=1 PENATES_SANITIZED=1
    build asan clang -DCMAKE_BUILD_TYPE=Debug -DPENATES_SANITIZE=address,undefined
    unit asan
    PENATES_TEST_KILLS=10 e2e asan tests/e2e --ignore tests/e2e/test_real_servers.py
    unset ASAN_OPTIONS PENATES_SANITIZED
}

stage_tsan() {
    export TSAN_OPTIONS=halt_on_error=0 PENATES_SANITIZED=1
    build tsan gcc -DCMAKE_BUILD_TYPE=Debug -DPENATES_SANITIZE=thread
    # Without the slowest of those that start no thread: there is nothing to see in them.
    unit tsan -E '^test_(ring_claim_model|sts_xml|snappy_xerial)$'
    PENATES_NET_THREADS=4 PENATES_THREADS=8 PENATES_TEST_KILLS=5 e2e tsan \
        tests/e2e/test_sample_backups.py tests/e2e/test_bad_days.py tests/e2e/test_crash.py \
        tests/e2e/test_credentials.py tests/e2e/test_ring_claim.py
    unset TSAN_OPTIONS PENATES_SANITIZED
}

stage_fuzz() {
    build fuzz clang -DCMAKE_BUILD_TYPE=Debug -DPENATES_FUZZ=ON \
        -DPENATES_SANITIZE=address,undefined
    tests/fuzz/run.sh build-tests/fuzz "${FUZZ_SECONDS:-10}" "$jobs"
}

# Without what takes long and reaches no other lines: kills, large objects, comparisons with botocore.
stage_coverage() {
    local name left=()
    for name in real_servers crash limits signing endpoints credentials_order docs; do
        left+=(--ignore "tests/e2e/test_$name.py")
    done
    build coverage gcc -DCMAKE_BUILD_TYPE=Debug -DPENATES_COVERAGE=ON
    find build-tests/coverage -name '*.gcda' -delete
    unit coverage
    PENATES_SANITIZED=1 e2e coverage tests/e2e "${left[@]}"
    tests/coverage.sh build-tests/coverage
}

install
for stage in "${stages[@]}"; do
    began=$SECONDS
    echo "== $stage"
    "stage_$stage"
    echo "== $stage passed in $((SECONDS - began)) s"
done
echo "${#stages[@]} passed, 0 failed"
