#!/usr/bin/env bash
# Installs what building Penates needs, and with --tests what its tests need besides, where it is
# missing. Knows Debian 12, Ubuntu 22.04 and 24.04, Amazon Linux 2023 and EL 9.
set -euo pipefail

apt_build=(ca-certificates cmake gcc libc6-dev libcurl4-openssl-dev libsnappy-dev libssl-dev
    libxml2-dev libyajl-dev make pkg-config python3 zlib1g-dev)
apt_tests=(clang clang-format clang-tidy curl gcovr gcc-aarch64-linux-gnu libcmocka-dev man-db
    memcached ninja-build procps python3-venv shellcheck)
# snappy-devel and yajl-devel come from EPEL and CRB on EL 9.
dnf_build=(ca-certificates cmake gcc glibc-devel libcurl-devel snappy-devel openssl-devel
    libxml2-devel yajl-devel make pkgconf-pkg-config python3 zlib-devel)
dnf_tests=(clang clang-tools-extra libcmocka-devel man-db memcached ninja-build procps-ng ShellCheck)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

install_apt() {
    local wanted=("${apt_build[@]}")
    [ "${1:-}" != --tests ] || wanted+=("${apt_tests[@]}")
    # clang's sanitizer and fuzzer runtimes are a package of their own, named by version.
    if [ "${1:-}" = --tests ]; then
        local version
        version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p')
        if [ -z "$version" ]; then
            as_root apt-get update -qq
            version=$(apt-cache depends clang | sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p')
        fi
        wanted+=("libclang-rt-${version}-dev")
    fi
    local missing=() name
    for name in "${wanted[@]}"; do
        dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed ||
            missing+=("$name")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        echo "installing ${missing[*]}" >&2
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
            --no-install-recommends "${missing[@]}" >/dev/null
    fi
}

install_dnf() {
    local wanted=("${dnf_build[@]}")
    [ "${1:-}" != --tests ] || wanted+=("${dnf_tests[@]}")
    if ! rpm -q "${wanted[@]}" >/dev/null 2>&1; then
        echo "installing ${wanted[*]}" >&2
        as_root dnf install -y -q "${wanted[@]}"
    fi
}

if command -v apt-get >/dev/null; then
    install_apt "$@"
elif command -v dnf >/dev/null; then
    install_dnf "$@"
else
    echo "deps.sh: neither apt-get nor dnf is here; install: ${apt_build[*]}" >&2
    exit 1
fi
